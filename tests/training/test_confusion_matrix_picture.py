"""The confusion matrix as a picture: every count and share in the right place."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lesionseg.metrics.confusion_matrix import ConfusionMatrix
from lesionseg.metrics.formula import Counts
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import Segmenter
from lesionseg.training import confusion_matrix_picture as confusion_matrix
from lesionseg.training.confusion_matrix_picture import ConfusionMatrixPicture, draw_confusion_matrix
from lesionseg.training.delivery import Delivery
from lesionseg.training.module import SegmentationModule


@pytest.fixture
def module() -> SegmentationModule:
    segmenter = Segmenter(torch.nn.Identity(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.5)
    return SegmentationModule(segmenter, metrics=metric_collection({"confusion_matrix": ConfusionMatrix()}))


def trainer(*loggers: Any, first: bool = True, epoch: int = 0) -> Any:
    return SimpleNamespace(
        is_global_zero=first, loggers=list(loggers), global_step=12, current_epoch=epoch, sanity_checking=False
    )


def texts(matrix: list[list[int]]) -> dict[tuple[int, int], str]:
    (axes,) = draw_confusion_matrix(np.array(matrix), title="all pixels").axes
    return {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}


def test_counts_and_shares_of_each_truth_stand_in_rows() -> None:
    assert texts([[900, 100], [50, 150]]) == {
        (0, 0): "90.0%\n900 px",
        (0, 1): "10.0%\n100 px",
        (1, 0): "25.0%\n50 px",
        (1, 1): "75.0%\n150 px",
    }


def test_a_truth_without_pixels_has_shares_of_nothing() -> None:
    assert texts([[1_234_567, 0], [0, 0]])[1, 1] == "0.0%\n0 px"
    assert texts([[1_234_567, 0], [0, 0]])[0, 0] == "100.0%\n1,234,567 px"


def test_axes_say_truth_prediction_and_the_classes() -> None:
    (axes,) = draw_confusion_matrix(np.eye(2, dtype=np.int64), title="all pixels").axes
    assert (axes.get_ylabel(), axes.get_xlabel(), axes.get_title()) == ("truth", "prediction", "all pixels")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["skin", "lesion"]


def validated(callback: ConfusionMatrixPicture, module: SegmentationModule, *matrices: list[list[int]]) -> None:
    """Ends a validation with each of these matrices."""
    for epoch, matrix in enumerate(matrices):
        module.matrices = {"val/confusion_matrix": torch.tensor(matrix)}
        callback.on_validation_end(trainer(epoch=epoch), module)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[list[int]], str]]:
    """What is drawn: matrix and title of each picture."""
    pictures: list[tuple[list[list[int]], str]] = []

    def noted(matrix: Any, *, title: str) -> Any:
        pictures.append((matrix.tolist(), title))
        return draw_confusion_matrix(matrix, title=title)

    monkeypatch.setattr(confusion_matrix, "draw_confusion_matrix", noted)
    return pictures


def test_without_a_delivery_the_last_validation_has_a_picture(
    tmp_path: Path, module: SegmentationModule, drawn: list[Any]
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path / "run")
    validated(callback, module, [[4, 2], [3, 7]], [[5, 1], [2, 8]])
    callback.on_fit_end(trainer(), module)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["confusion_matrix_val.png"]
    assert drawn[0][0] == [[5, 1], [2, 8]]
    assert "last epoch 2, as trained" in drawn[0][1]


def test_the_best_epochs_matrix_is_delivered_where_no_decision_was_fitted(
    tmp_path: Path, module: SegmentationModule, drawn: list[Any]
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    validated(callback, module, [[4, 2], [3, 7]], [[5, 1], [2, 8]])
    resumed = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    resumed.load_state_dict(callback.state_dict())
    resumed.on_delivery(trainer(), Delivery(module.segmenter, 1, None))
    assert drawn[0][0] == [[4, 2], [3, 7]]
    assert "best epoch 1, as trained" in drawn[0][1]


def test_with_a_fitted_decision_its_own_counts_are_drawn(
    tmp_path: Path, module: SegmentationModule, drawn: list[Any]
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    validated(callback, module, [[4, 2], [3, 7]])
    counts = Counts(true_positives=80, false_positives=10, false_negatives=20, true_negatives=90)
    callback.on_delivery(trainer(), Delivery(module.segmenter, 1, counts))
    assert drawn[0][0] == [[90, 10], [20, 80]]
    assert "best epoch 1, threshold 0.5" in drawn[0][1]


def test_tensorboard_gets_it_too(tmp_path: Path, module: SegmentationModule) -> None:
    logger = TensorBoardLogger(tmp_path / "tb", name="", version="")
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    validated(callback, module, [[5, 1], [2, 8]])
    callback.on_fit_end(trainer(logger), module)
    logger.experiment.close()
    events = EventAccumulator(str(tmp_path / "tb")).Reload()
    assert events.Tags()["images"] == ["val/confusion_matrix"]
    assert events.Images("val/confusion_matrix")[0].step == 12


def test_without_the_metric_or_on_another_process_nothing_is_drawn(tmp_path: Path, module: SegmentationModule) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path / "run")
    callback.on_validation_end(trainer(), module)
    callback.on_validation_end(trainer(), LightningModule())
    callback.on_fit_end(trainer(), module)
    callback.on_delivery(trainer(), Delivery(module.segmenter, 1, Counts(1, 1, 1, 1)))
    validated(callback, module, [[1, 0], [0, 1]])
    callback.on_fit_end(trainer(first=False), module)
    assert not (tmp_path / "run").exists()
