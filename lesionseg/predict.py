"""`python -m lesionseg.predict`: photographs in, masks of the same size out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lesionseg.checkpoint.named_checkpoint import announced_checkpoint
from lesionseg.config.launch import launch

if TYPE_CHECKING:
    from lesionseg.prediction.folder_prediction import Outcome

SOME_UNREADABLE = 1
"""Exit code when an image could not be read; the others are done."""


def predict(cfg: DictConfig) -> Outcome:
    """Predicts photographs as `cfg` says, see `conf/predict.yaml`, and writes masks and `predictions.csv`.

    What the same model has done already is skipped, so an interrupted run goes on where it stopped.

    Raises:
        InputError: A setting or the model's file is wrong, there are no images, a file would be overwritten, another
            process writes to the same folder, or the disk is full.
    """
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    from lesionseg.prediction.folder_prediction import predict_folder

    cfg.checkpoint = announced_checkpoint(cfg.checkpoint)
    return predict_folder(cfg)


def main() -> None:
    """Runs the command line."""
    outcomes: list[Outcome] = []
    launch("predict", lambda cfg: outcomes.append(predict(cfg)))
    sys.exit(SOME_UNREADABLE if any(outcome.unreadable for outcome in outcomes) else 0)


if __name__ == "__main__":
    main()
