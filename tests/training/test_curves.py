"""The curves: every value at its epoch, the best epoch marked, and all of it after a resume."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from PIL import Image

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import Segmenter
from lesionseg.training.curves import Curves, best_epoch, draw_curves, validated
from lesionseg.training.ema import Ema
from lesionseg.training.module import SegmentationModule

VALUES = {
    "train/loss": [0.9, 0.7, 0.6],
    "val/loss": [0.8, 0.75, 0.7],
    "train/dice": [0.1, 0.3, 0.5],
    "val/dice": [0.2, 0.6, 0.4],
}
HISTORY = {name: dict(enumerate(series)) for name, series in VALUES.items()}


def curves(folder: Path, **changes: Any) -> Curves:
    options: dict[str, Any] = {
        "metrics": ["dice"],
        "monitor": "val/dice",
        "mode": "max",
        "path": folder / "a" / "c.png",
    }
    return Curves(**(options | changes))


@pytest.mark.parametrize(
    ("values", "mode", "epoch"),
    [
        ({0: 0.2, 1: 0.6, 2: 0.4}, "max", 1),
        ({0: 0.2, 1: 0.6, 2: 0.1}, "min", 2),
        ({0: 0.5, 1: 0.5}, "max", 0),
        ({3: 0.1, 7: 0.3}, "max", 7),
        ({}, "max", None),
    ],
)
def test_the_best_epoch_is_the_first_with_the_best_value(
    values: dict[int, float], mode: Any, epoch: int | None
) -> None:
    assert best_epoch(values, mode) == epoch


@pytest.mark.parametrize("sanity_steps", [0, 1])
def test_every_value_is_kept_at_its_epoch(tmp_path: Path, fit: Any, sanity_steps: int) -> None:
    callback = curves(tmp_path)
    fit(VALUES, [callback], sanity_steps=sanity_steps)
    assert callback.history.keys() == VALUES.keys()
    for name, series in VALUES.items():
        assert callback.history[name] == pytest.approx(dict(enumerate(series)))


def test_a_sanity_check_is_no_epoch(tmp_path: Path) -> None:
    callback = curves(tmp_path)
    trainer: Any = SimpleNamespace(sanity_checking=True, current_epoch=0, callback_metrics={"val/loss": 1.0})
    callback.on_validation_end(trainer, LightningModule())
    assert callback.history == {}


def test_a_picture_is_written_at_the_end(tmp_path: Path, fit: Any) -> None:
    fit(VALUES, [curves(tmp_path)])
    with Image.open(tmp_path / "a" / "c.png") as picture:
        assert picture.width > picture.height > 100


def test_loss_and_metrics_are_drawn_over_epochs_counted_from_one() -> None:
    figure = draw_curves(HISTORY, metrics=["dice", "jaccard"], monitor="val/dice", mode="max")
    loss, dice = figure.axes
    assert (loss.get_title(), dice.get_title()) == ("loss", "dice")
    training, validation, _ = dice.get_lines()
    assert list(training.get_xdata()) == [1, 2, 3]
    assert list(training.get_ydata()) == VALUES["train/dice"]
    assert list(validation.get_ydata()) == VALUES["val/dice"]
    assert [text.get_text() for text in dice.get_legend().get_texts()] == ["training", "validation"]


def test_the_best_epoch_is_marked_and_named() -> None:
    figure = draw_curves(HISTORY, metrics=["dice"], monitor="val/dice", mode="max")
    assert all(list(axes.get_lines()[-1].get_xdata()) == [2, 2] for axes in figure.axes)
    assert figure.get_suptitle() == "best epoch 2: val/dice = 0.6000"


def test_a_monitor_that_was_never_logged_marks_nothing() -> None:
    figure = draw_curves(HISTORY, metrics=["dice"], monitor="val/boundary", mode="max")
    assert all(len(axes.get_lines()) == 2 for axes in figure.axes)
    assert figure.get_suptitle() == ""


def test_a_resumed_run_draws_all_of_its_history(tmp_path: Path) -> None:
    first, second = curves(tmp_path), curves(tmp_path)
    first.history = {name: dict(values) for name, values in HISTORY.items()}
    second.load_state_dict(first.state_dict())
    assert second.history == HISTORY


def test_nothing_logged_means_no_picture(tmp_path: Path, fit: Any) -> None:
    fit({"other": [0.0]}, [curves(tmp_path)])
    assert not (tmp_path / "a").exists()


def test_the_picture_says_which_images_weights_and_threshold(synthetic: Any) -> None:
    source = synthetic(size=32, train=2, validation=5, test=0)
    data = LesionDataModule(source, image_size=32, batch_size=4, num_workers=0, seed=0, augment=None)
    data.setup("fit")
    segmenter = Segmenter(torch.nn.Identity(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.4)
    module = SegmentationModule(segmenter, metrics=metric_collection({"dice": Dice()}))
    trainer: Any = SimpleNamespace(datamodule=data, callbacks=[Ema(decay=0.9)])
    assert validated(trainer, module) == "validation: all 5 images at 32 x 32 pixels, weights averaged, threshold 0.4"
    assert validated(trainer, LightningModule()) == ""
