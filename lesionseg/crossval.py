"""`python -m lesionseg.crossval`: trains every fold or with several seeds, sums up, and makes an ensemble."""

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from lesionseg.config.launch import launch
from lesionseg.errors import InputError
from lesionseg.study.crossval_plan import FILE, plan, with_training
from lesionseg.system.run_folder import locked


def crossval(cfg: DictConfig, words: Sequence[str] = ()) -> dict[str, float]:
    """Runs or resumes a cross-validation, see `conf/crossval.yaml`.

    Args:
        cfg: Configuration, in a process where Hydra can compose those of the trainings.
        words: Command line, which is recorded for resuming.

    Returns:
        Means over all images, such as `out_of_fold/jaccard`; `test/...` and `ensemble/...` only with a test subset.

    Raises:
        InputError: A setting or a file is wrong; nothing has been trained.
        FaultError: A training has failed; the others have finished.
        InterruptionError: A signal has stopped the trainings; finished trainings are kept.
    """
    folder = Path(cfg.run_dir)
    trainings = plan(cfg, folder)
    with locked(folder):
        if cfg.resume is None and (folder / FILE).exists():
            raise InputError(
                f"there is a cross-validation in {folder} already; go on with it by resume={folder}, or give another "
                "hydra.run.dir"
            )
        # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
        from lesionseg.study.crossval import cross_validate, ensemble_of

        return cross_validate(cfg, trainings, words) if cfg.checkpoints is None else ensemble_of(cfg)


def main() -> None:
    """Runs the command line."""
    launch("crossval", lambda cfg: crossval(cfg, sys.argv[1:]), arguments=with_training)


if __name__ == "__main__":
    main()
