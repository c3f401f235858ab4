"""`python -m lesionseg.train`: fits a model, then tests its best checkpoint."""

import logging

from omegaconf import DictConfig

from lesionseg.config.command_line import with_folder
from lesionseg.config.launch import launch
from lesionseg.errors import PruningError
from lesionseg.metrics.delivered import objective

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> dict[str, float]:
    """Runs a whole training, which `conf/train.yaml` configures.

    Returns what the best epoch logged (`val/dice` ...) and, if there are test images, its results (`test/dice` ...).

    Raises:
        InputError: A setting or a file is wrong; nothing has been trained then.
    """
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    from hydra.core.hydra_config import HydraConfig

    from lesionseg.check import check
    from lesionseg.training.run import run

    if cfg.resume in (None, "auto"):
        check(cfg)
    return run(cfg, list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else [])


def _train_and_score(cfg: DictConfig) -> float | None:
    """Returns the number that sweepers optimise: the monitored value of what is delivered."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        from lesionseg.study.sweep_job import run_job

        return run_job(cfg)
    try:
        return objective(train(cfg), cfg.monitor)
    except PruningError as error:  # of a job that a sweep has given a process of its own
        log.info("Given up: %s", error)
        return error.results.get(cfg.monitor)


def main() -> None:
    """Runs the command line."""
    launch("train", _train_and_score, arguments=with_folder)


if __name__ == "__main__":
    main()
