"""An epoch of few steps is logged too, and without a warning."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger

from lesionseg.training.log_interval import log_interval


def trainer_of(tmp_path: Path, **changes: Any) -> Trainer:
    settings: dict[str, Any] = {"accelerator": "cpu", "max_epochs": 1, "log_every_n_steps": 10, "limit_val_batches": 0}
    settings |= {"logger": CSVLogger(tmp_path), "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**settings | changes, enable_checkpointing=False)


@pytest.mark.parametrize(
    ("changes", "images", "interval"),
    [
        ({}, 1600, 10),
        ({}, 47, 2),
        ({}, 3, 1),
        ({"log_every_n_steps": 1}, 1600, 1),
        ({"limit_train_batches": 4}, 1600, 4),
        ({"limit_train_batches": 0.05}, 1600, 5),
    ],
)
def test_it_is_never_longer_than_an_epoch(tmp_path: Path, changes: dict[str, Any], images: int, interval: int) -> None:
    assert log_interval(trainer_of(tmp_path, **changes), images=images, batch_size=16) == interval


def test_an_epoch_that_passes_over_few_images_again_is_as_long_as_it_is(tmp_path: Path) -> None:
    assert log_interval(trainer_of(tmp_path), images=20, batch_size=16, min_batches=50) == 10
    assert log_interval(trainer_of(tmp_path), images=20, batch_size=16, min_batches=5) == 5


def test_lightning_then_warns_of_nothing(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, limit_train_batches=3)
    trainer.log_every_n_steps = log_interval(trainer, images=64, batch_size=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(BoringModel())
    assert not [str(one.message) for one in caught if "log_every_n_steps" in str(one.message)]
