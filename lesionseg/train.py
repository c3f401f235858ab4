"""`python -m lesionseg.train`: fits a model, then tests its best checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionseg.launch import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(cfg: DictConfig) -> dict[str, float]:
    """Runs a whole training as `cfg` says, see `conf/train.yaml`.

    Returns:
        Every value that the epoch of the best checkpoint logged (`val/dice` ...) and, where the source has a test
        part, the best checkpoint's test results (`test/dice` ...).

    Raises:
        InputError: A setting or a file is wrong; nothing has been trained then.
    """
    # Imported here, not above: they take seconds, and --help or a mistyped key should answer at once.
    from lesionseg.check import check
    from lesionseg.training.experiment import Experiment

    check(cfg)
    return Experiment(cfg).run()


def _train_and_score(cfg: DictConfig) -> float | None:
    """Gives sweepers the one number they optimise: the monitored value of the best checkpoint."""
    return train(cfg).get(cfg.monitor)


def main() -> None:
    """Runs the command line."""
    launch("train", _train_and_score)


if __name__ == "__main__":
    main()
