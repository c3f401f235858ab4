"""`python -m lesionseg.evaluate`: scores a checkpoint, an exported model, or anybody's masks."""

from pathlib import Path

from omegaconf import DictConfig

from lesionseg.checkpoint.named_checkpoint import announced_checkpoint
from lesionseg.config.help_page import for_example
from lesionseg.config.launch import launch
from lesionseg.errors import InputError


def evaluate(cfg: DictConfig) -> dict[str, float]:
    """Scores a model's file or a folder of masks as `cfg` says, see `conf/evaluate.yaml`, and writes the report.

    Returns:
        The metrics as `test/dice` and so on, whichever part of the data was scored.

    Raises:
        InputError: A setting, the model, the masks or the data are wrong.
    """
    if (cfg.checkpoint is None) == (cfg.predictions is None):
        either = "give either checkpoint=FILE (a model), or predictions=FOLDER and truth=FOLDER (masks)"
        raise InputError(f"{either}\n{for_example('evaluate')}")
    if cfg.predictions is not None and cfg.truth is None:
        raise InputError(f"predictions={cfg.predictions} needs truth=FOLDER, the masks to score against")
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    if cfg.predictions is not None:
        from lesionseg.evaluation.folder_scoring import score_folders
        from lesionseg.report.figures import figures
        from lesionseg.report.publishing import print_summary, publish

        summary, images = score_folders(cfg)
        publish(summary, images, figures(summary, images), Path(cfg.run_dir))
        print_summary(summary, Path(cfg.run_dir))
        return {f"test/{name}": estimate.value for name, estimate in summary.metrics.items()}
    from lesionseg.check import check
    from lesionseg.training.testing import score_checkpoint

    check(cfg)
    cfg.checkpoint = announced_checkpoint(cfg.checkpoint)
    return score_checkpoint(cfg)


def main() -> None:
    """Runs the command line."""
    launch("evaluate", evaluate)


if __name__ == "__main__":
    main()
