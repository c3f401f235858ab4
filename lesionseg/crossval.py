"""`python -m lesionseg.crossval`: trains every fold or with several seeds, sums up, and makes an ensemble."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.config.launch import launch
from lesionseg.config.old_names import current_words
from lesionseg.errors import InputError
from lesionseg.study.crossval_plan import FILE, plan, with_training
from lesionseg.system.run_folder import locked

if TYPE_CHECKING:
    from omegaconf import DictConfig


def crossval(cfg: DictConfig, words: Sequence[str] = ()) -> dict[str, float]:
    """Runs a whole cross-validation, or what is left of it, as `cfg` says, see `conf/crossval.yaml`.

    Args:
        cfg: Composed, in a process where Hydra can compose further configurations: those of the trainings.
        words: Words of the command line; they are kept, so that an interrupted one can be gone on with.

    Returns:
        The means over all images, `out_of_fold/jaccard` and so on; `test/...` and `ensemble/...` where there is a test
        part.

    Raises:
        InputError: A setting or a file is wrong; nothing has been trained then.
        FaultError: A training has failed; the others are done.
        InterruptionError: A signal has stopped it; what has been trained is kept.
    """
    cfg.training = current_words("train", cfg.training)
    folder = Path(cfg.run_dir)
    trainings = plan(cfg, folder)
    with locked(folder):
        if cfg.resume is None and (folder / FILE).exists():
            raise InputError(
                f"there is a cross-validation in {folder} already; go on with it by resume={folder}, or give another "
                "hydra.run.dir"
            )
        # Imported here, not above: it takes seconds, and --help or a mistyped key should answer at once.
        from lesionseg.study.crossval import cross_validate, ensemble_of

        return cross_validate(cfg, trainings, words) if cfg.checkpoints is None else ensemble_of(cfg)


def main() -> None:
    """Runs the command line."""
    launch("crossval", lambda cfg: crossval(cfg, sys.argv[1:]), arguments=with_training)


if __name__ == "__main__":
    main()
