"""Sample pictures: always the same samples, with the outlines the model draws now."""

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

import lesionseg.training.pictures
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.source import Source
from lesionseg.metrics.confusion_matrix import ConfusionMatrix
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula import Counts
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.training.ema import Ema
from lesionseg.training.module import SegmentationModule
from lesionseg.training.pictures import ConfusionMatrixPicture, Delivery, SampleMasks, deliver, draw_confusion_matrix


class Oracle(nn.Module):
    """Says lesion everywhere (bias above 0) or nowhere."""

    stride = 1

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(5.0))

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1] * 0 + self.bias


@pytest.fixture
def module() -> SegmentationModule:
    segmenter = Segmenter(Oracle(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.5)
    return SegmentationModule(segmenter, metrics=metric_collection({"dice": Dice()})).eval()


@pytest.fixture
def source(synthetic: Any) -> Source:
    return synthetic(size=32, train=2, validation=5, test=0)


@pytest.fixture
def trainer(source: Source) -> Any:
    data = LesionDataModule(source, image_size=32, batch_size=4, num_workers=0, seed=0, augment=None)
    data.setup("fit")
    return SimpleNamespace(
        datamodule=data,
        current_epoch=0,
        max_epochs=10,
        sanity_checking=False,
        is_global_zero=True,
        loggers=[],
        global_step=3,
        callbacks=[],
        precision_plugin=SimpleNamespace(forward_context=contextlib.nullcontext),
    )


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would be drawn: images, targets, predictions, captions and note of each picture."""
    drawn: list[tuple[Any, ...]] = []

    def noted(*arguments: Any, note: str) -> np.ndarray:
        drawn.append((*arguments, note))
        return np.zeros((4, 6, 3), np.uint8)

    monkeypatch.setattr(lesionseg.training.pictures, "sample_sheet", noted)
    return drawn


def start_batch(callback: SampleMasks, trainer: Any, module: SegmentationModule, index: int = 0) -> None:
    callback.on_validation_batch_start(trainer, module, None, index)


def test_the_latest_picture_is_in_a_file(tmp_path: Path, trainer: Any, module: SegmentationModule) -> None:
    path = tmp_path / "run" / "samples.png"
    start_batch(SampleMasks(count=2, every_epochs=1, path=path), trainer, module)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] > pixels.shape[0]
    image = trainer.datamodule.dataset("validation")[0, 0]["image"]
    photograph = pixels[28 + 22 + 2 + 22 :, 6:][:256, :256]  # below legend, note, margin and caption
    assert np.abs(photograph.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 3  # and its colours in RGB order


def test_the_same_samples_are_drawn_each_time_spread_over_the_part(
    tmp_path: Path, trainer: Any, module: SegmentationModule, sheets: list[Any]
) -> None:
    callback = SampleMasks(count=3, every_epochs=1, path=tmp_path / "s.png")
    for trainer.current_epoch in range(3):
        start_batch(callback, trainer, module)
    names = [[caption.split()[0] for caption in captions] for *_, captions, _ in sheets]
    assert names == [["validation_0000", "validation_0002", "validation_0004"]] * 3


def test_fewer_samples_than_asked_for_are_drawn_once_each(
    tmp_path: Path, trainer: Any, module: SegmentationModule, sheets: list[Any]
) -> None:
    start_batch(SampleMasks(count=8, every_epochs=1, path=tmp_path / "s.png"), trainer, module)
    assert len(sheets[0][0]) == 5


def test_the_picture_shows_truth_and_what_the_model_says_now(
    tmp_path: Path, trainer: Any, source: Source, module: SegmentationModule, sheets: list[Any]
) -> None:
    callback = SampleMasks(count=2, every_epochs=1, path=tmp_path / "s.png")
    start_batch(callback, trainer, module)
    nn.init.constant_(module.segmenter.network.bias, -5.0)  # type: ignore[arg-type]
    start_batch(callback, trainer, module)
    (_, targets, everywhere, captions, _), (_, _, nowhere, empty_captions, _) = sheets
    assert np.array_equal(targets[0], source.samples("validation")[0].mask())
    assert all(mask.all() for mask in everywhere)
    assert not any(mask.any() for mask in nowhere)
    share = targets[0].mean()
    assert captions[0].endswith(f"Dice {2 * share / (1 + share):.3f}")
    assert empty_captions[0].endswith("Dice 0.000")


@pytest.mark.parametrize(("every", "epochs"), [(1, [0, 1, 2, 3, 4]), (2, [0, 1, 3, 4]), (3, [0, 2, 4]), (9, [0, 4])])
def test_pictures_come_every_so_many_epochs_and_after_the_first_and_last(
    tmp_path: Path, trainer: Any, module: SegmentationModule, sheets: list[Any], every: int, epochs: list[int]
) -> None:
    callback = SampleMasks(count=1, every_epochs=every, path=tmp_path / "s.png")
    trainer.max_epochs, drawn = 5, []
    for trainer.current_epoch in range(5):
        before = len(sheets)
        for batch in range(2):
            start_batch(callback, trainer, module, batch)
        drawn += [trainer.current_epoch] * (len(sheets) - before)
    assert drawn == epochs


@pytest.mark.parametrize("change", [{"sanity_checking": True}, {"is_global_zero": False}])
def test_no_picture_of_a_sanity_check_or_by_another_process(
    tmp_path: Path, trainer: Any, module: SegmentationModule, change: dict[str, bool]
) -> None:
    vars(trainer).update(change)
    start_batch(SampleMasks(count=1, every_epochs=1, path=tmp_path / "s.png"), trainer, module)
    assert not (tmp_path / "s.png").exists()


def test_tensorboard_gets_each_picture(tmp_path: Path, trainer: Any, module: SegmentationModule) -> None:
    trainer.loggers = [TensorBoardLogger(tmp_path / "tb", name="", version="")]
    callback = SampleMasks(count=1, every_epochs=1, path=tmp_path / "s.png")
    for trainer.global_step in (3, 6):
        start_batch(callback, trainer, module)
    trainer.loggers[0].experiment.close()
    events = EventAccumulator(str(tmp_path / "tb")).Reload()
    assert [event.step for event in events.Images("samples/val")] == [3, 6]


@pytest.mark.parametrize("change", [{"count": 0}, {"every_epochs": 0}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 each"):
        SampleMasks(**({"count": 1, "every_epochs": 1, "path": tmp_path} | change))  # type: ignore[arg-type]


def test_the_last_picture_is_of_what_is_handed_over(
    tmp_path: Path, trainer: Any, source: Source, module: SegmentationModule, sheets: list[Any]
) -> None:
    callback = SampleMasks(count=2, every_epochs=1, path=tmp_path / "s.png")
    start_batch(callback, trainer, module)  # of the last epoch: lesion everywhere
    trainer.callbacks = [callback, Ema(decay=0.9)]
    nn.init.constant_(module.segmenter.network.bias, 0.0)  # the best weights: 0.5 everywhere
    module.segmenter.postprocessing = Postprocessing(threshold=0.6, largest_component=True)
    deliver(trainer, Delivery(module.segmenter, 7, None))
    (*_, last_note), (_, targets, delivered, captions, note) = sheets
    assert all(mask.all() for mask in sheets[0][2])
    assert not any(mask.any() for mask in delivered)
    assert np.array_equal(targets[1], source.samples("validation")[4].mask())
    assert [mask.shape for mask in delivered] == [target.shape for target in targets]
    assert captions[0].endswith("Dice 0.000")
    assert note == (
        "validation, 2 of 5 images, evenly spread; weights of best epoch 7, averaged; threshold 0.6, largest region; "
        "scored at the truths' own sizes"
    )
    assert last_note == (
        "validation, 2 of 5 images, evenly spread; weights of epoch 1, not averaged; threshold 0.5; "
        "scored at 32 x 32 pixels"
    )
    assert (tmp_path / "s.png").is_file()


def test_another_process_draws_no_last_picture(
    tmp_path: Path, trainer: Any, module: SegmentationModule, sheets: list[Any]
) -> None:
    trainer.callbacks = [SampleMasks(count=2, every_epochs=1, path=tmp_path / "s.png")]
    trainer.is_global_zero = False
    deliver(trainer, Delivery(module.segmenter, 7, None))
    assert sheets == []


@pytest.fixture
def matrix_module() -> SegmentationModule:
    segmenter = Segmenter(torch.nn.Identity(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.5)
    return SegmentationModule(segmenter, metrics=metric_collection({"confusion_matrix": ConfusionMatrix()}))


def stub_trainer(*loggers: Any, first: bool = True, epoch: int = 0) -> Any:
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


def validated(callback: ConfusionMatrixPicture, matrix_module: SegmentationModule, *matrices: list[list[int]]) -> None:
    """Ends a validation with each of these matrices."""
    for epoch, matrix in enumerate(matrices):
        matrix_module.matrices = {"val/confusion_matrix": torch.tensor(matrix)}
        callback.on_validation_end(stub_trainer(epoch=epoch), matrix_module)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[list[int]], str]]:
    """What is drawn: matrix and title of each picture."""
    pictures: list[tuple[list[list[int]], str]] = []

    def noted(matrix: Any, *, title: str) -> Any:
        pictures.append((matrix.tolist(), title))
        return draw_confusion_matrix(matrix, title=title)

    monkeypatch.setattr("lesionseg.training.pictures.draw_confusion_matrix", noted)
    return pictures


def test_without_a_delivery_the_last_validation_has_a_picture(
    tmp_path: Path, matrix_module: SegmentationModule, drawn: list[Any]
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path / "run")
    validated(callback, matrix_module, [[4, 2], [3, 7]], [[5, 1], [2, 8]])
    callback.on_fit_end(stub_trainer(), matrix_module)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["confusion_matrix_val.png"]
    assert drawn[0][0] == [[5, 1], [2, 8]]
    assert "last epoch 2, as trained" in drawn[0][1]


def test_the_best_epochs_matrix_is_delivered_where_no_decision_was_fitted(
    tmp_path: Path, matrix_module: SegmentationModule, drawn: list[Any]
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    validated(callback, matrix_module, [[4, 2], [3, 7]], [[5, 1], [2, 8]])
    resumed = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    resumed.load_state_dict(callback.state_dict())
    resumed.on_delivery(stub_trainer(), Delivery(matrix_module.segmenter, 1, None))
    assert drawn[0][0] == [[4, 2], [3, 7]]
    assert "best epoch 1, as trained" in drawn[0][1]


def test_with_a_fitted_decision_its_own_counts_are_drawn(
    tmp_path: Path, matrix_module: SegmentationModule, drawn: list[Any]
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    validated(callback, matrix_module, [[4, 2], [3, 7]])
    counts = Counts(true_positives=80, false_positives=10, false_negatives=20, true_negatives=90)
    callback.on_delivery(stub_trainer(), Delivery(matrix_module.segmenter, 1, counts))
    assert drawn[0][0] == [[90, 10], [20, 80]]
    assert "best epoch 1, threshold 0.5" in drawn[0][1]


def test_tensorboard_gets_it_too(tmp_path: Path, matrix_module: SegmentationModule) -> None:
    logger = TensorBoardLogger(tmp_path / "tb", name="", version="")
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path)
    validated(callback, matrix_module, [[5, 1], [2, 8]])
    callback.on_fit_end(stub_trainer(logger), matrix_module)
    logger.experiment.close()
    events = EventAccumulator(str(tmp_path / "tb")).Reload()
    assert events.Tags()["images"] == ["val/confusion_matrix"]
    assert events.Images("val/confusion_matrix")[0].step == 12


def test_without_the_metric_or_on_another_process_nothing_is_drawn(
    tmp_path: Path, matrix_module: SegmentationModule
) -> None:
    callback = ConfusionMatrixPicture(metric="confusion_matrix", folder=tmp_path / "run")
    callback.on_validation_end(stub_trainer(), matrix_module)
    callback.on_validation_end(stub_trainer(), LightningModule())
    callback.on_fit_end(stub_trainer(), matrix_module)
    callback.on_delivery(stub_trainer(), Delivery(matrix_module.segmenter, 1, Counts(1, 1, 1, 1)))
    validated(callback, matrix_module, [[1, 0], [0, 1]])
    callback.on_fit_end(stub_trainer(first=False), matrix_module)
    assert not (tmp_path / "run").exists()
