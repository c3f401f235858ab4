"""Pictures of validation images during a training, and of what it delivers at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.loader import Item, LesionDataset, collate
from lesionseg.data.masks import Array
from lesionseg.metrics.confusion_matrix import ConfusionMatrix
from lesionseg.metrics.formula import Counts
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.postprocessing.run_length import LESION
from lesionseg.report.figures import draw_matrix
from lesionseg.report.picture_sheet import sample_sheet
from lesionseg.training.loggers import tensorboard_writers
from lesionseg.training.module import SegmentationModule


@dataclass(frozen=True)
class Delivery:
    """A trained model as it is tested, predicts and is exported."""

    segmenter: Segmenter
    epoch: int | None
    """Epoch of the weights, counted from 1; None if no best checkpoint was kept and they are the last ones."""
    counts: Counts | None
    """Pixels of all validation images at their ground truths' own sizes; None if no post-processing was fitted."""


class DeliveryCallback(Callback):
    """A callback that is told of the delivery once, after training and fitting."""

    def on_delivery(self, trainer: Trainer, delivery: Delivery) -> None:
        """Runs in the first process alone."""
        raise NotImplementedError


def deliver(trainer: Trainer, delivery: Delivery) -> None:
    """Tells the trainer's callbacks, in the first process."""
    callbacks: Sequence[Any] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning's types lack it
    for callback in callbacks if trainer.is_global_zero else ():
        if isinstance(callback, DeliveryCallback):
            callback.on_delivery(trainer, delivery)


def weights_in_words(trainer: Trainer, epoch: int | None, *, is_best: bool = False) -> str:
    """Says which weights: `weights of best epoch 12, averaged`."""
    callbacks: Sequence[Any] = getattr(trainer, "callbacks", ())
    averaged = any(isinstance(callback, WeightAveraging) for callback in callbacks)
    moment = "last weights" if epoch is None else f"weights of {'best ' if is_best else ''}epoch {epoch}"
    return f"{moment}, {'averaged' if averaged else 'not averaged'}"


class SampleMasks(DeliveryCallback):
    """Draws image, truth and prediction of validation samples, always the same ones, spread evenly over them.

    The pictures go to TensorBoard (`samples/val`); the latest one also to a file. The last of all, in TensorBoard
    `samples/val_delivered`, shows the best weights with the post-processing that is handed over.

    Args:
        count: Number of samples.
        every_epochs: A picture after every so many epochs, and after the first and the last.
        path: File of the latest picture.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, *, count: int, every_epochs: int, path: Path | str) -> None:
        if count < 1 or every_epochs < 1:
            raise ValueError(
                f"callbacks.sample_masks has count {count} and every_epochs {every_epochs}; allowed: at least 1 each"
            )
        self.count = count
        self.every_epochs = every_epochs
        self.path = Path(path)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Draws at the first batch, when the weights to be validated (the averaged ones) are in place."""
        epoch = trainer.current_epoch + 1
        due = epoch % self.every_epochs == 0 or epoch in (1, trainer.max_epochs)
        if batch_idx == 0 and due and not trainer.sanity_checking and trainer.is_global_zero:
            self._log(trainer, self._draw(trainer, pl_module), tag="samples/val")

    def on_delivery(self, trainer: Trainer, delivery: Delivery) -> None:
        """Draws what is handed over, at the ground truths' own sizes."""
        dataset, segmenter = _validation(trainer), delivery.segmenter
        rows, items = self._samples(dataset)
        device = next(segmenter.parameters()).device
        with torch.inference_mode(), trainer.precision_plugin.forward_context():
            probabilities = segmenter.eval().probability(collate(items)["image"].to(device))[:, 0].float().cpu().numpy()
        targets = [dataset.cache.samples[dataset.rows[row]].mask() for row in rows]
        masks = [
            segmenter.postprocessing.mask(probability, target.shape).pixels() // LESION
            for probability, target in zip(probabilities, targets, strict=True)
        ]
        weights = weights_in_words(trainer, delivery.epoch, is_best=True)
        note = _caption(len(rows), len(dataset), weights, segmenter.postprocessing, "scored at the truths' own sizes")
        self._log(trainer, _sheet(items, targets, masks, note), tag="samples/val_delivered")

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> Array:
        segmenter, dataset = pl_module.segmenter, _validation(trainer)
        if not isinstance(segmenter, Segmenter):
            raise TypeError("sample masks need a SegmentationModule")
        _, items = self._samples(dataset)
        with torch.no_grad():
            predicted = segmenter.mask(collate(items)["image"].to(pl_module.device))[:, 0].cpu().numpy()
        weights, size = weights_in_words(trainer, trainer.current_epoch + 1), items[0]["image"].shape[0]
        note = _caption(
            len(items), len(dataset), weights, segmenter.postprocessing, f"scored at {size} x {size} pixels"
        )
        return _sheet(items, [item["mask"] for item in items], list(predicted), note)

    def _samples(self, dataset: LesionDataset) -> tuple[list[int], list[Item]]:
        """Chooses the rows, evenly spread over the dataset, and reads them."""
        rows = np.linspace(0, len(dataset) - 1, min(self.count, len(dataset))).round().astype(int).tolist()
        return rows, [dataset[row, 0] for row in rows]

    def _log(self, trainer: Trainer, sheet: Array, *, tag: str) -> None:
        for writer in tensorboard_writers(trainer):
            writer.add_image(tag, sheet, trainer.global_step, dataformats="HWC")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self.path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def _validation(trainer: Trainer) -> LesionDataset:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, LesionDataModule):
        raise TypeError("sample masks need a LesionDataModule")
    return data.dataset("validation")


def _caption(images: int, of: int, weights: str, postprocessing: Postprocessing, size: str) -> str:
    which = f"all {of} images" if images == of else f"{images} of {of} images, evenly spread"
    return f"validation, {which}; {weights}; {postprocessing.briefly()}; {size}"


def _sheet(items: Sequence[Item], targets: Sequence[Array], masks: Sequence[Array], note: str) -> Array:
    captions = [
        f"{item['id']}   Dice {_dice(mask, target):.3f}"
        for item, mask, target in zip(items, masks, targets, strict=True)
    ]
    return sample_sheet([item["image"] for item in items], targets, masks, captions, note=note)


def _dice(prediction: Array, target: Array) -> float:
    """Returns the Dice coefficient of two masks; 1 when both are empty."""
    total = int(prediction.sum()) + int(target.sum())
    return 2 * int(np.logical_and(prediction, target).sum()) / total if total else 1.0


class ConfusionMatrixPicture(DeliveryCallback):
    """Draws the confusion matrix of all pixels of the validation images; the test's is in its report.

    After training it is that of the last validation; after fitting, that of the best weights with the fitted
    post-processing, at the ground truths' own sizes.

    Args:
        metric: Name of the metric in the configuration that computes it.
        folder: Folder of `confusion_matrix_val.png`; TensorBoard gets it as `val/confusion_matrix`.
    """

    def __init__(self, *, metric: str, folder: Path | str) -> None:
        self.metric = metric
        self.folder = Path(folder)
        self.matrices: dict[int, list[list[int]]] = {}
        """Counts of each validated epoch, counted from 1."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes an epoch's matrix, before the checkpoint is written."""
        matrices = pl_module.matrices if isinstance(pl_module, SegmentationModule) else {}
        matrix = matrices.get(f"val/{self.metric}")
        if matrix is not None and not trainer.sanity_checking:
            self.matrices[trainer.current_epoch + 1] = matrix.tolist()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the last validation's, in case the training ends without anything to deliver."""
        if self.matrices and trainer.is_global_zero:
            self._draw_epoch(trainer, max(self.matrices), "last")

    def on_delivery(self, trainer: Trainer, delivery: Delivery) -> None:
        """Draws that of what is handed over."""
        if delivery.counts is not None and self.matrices:
            words = delivery.segmenter.postprocessing.briefly()
            matrix = [list(row) for row in ConfusionMatrix().score(delivery.counts)]
            weights = "last weights" if delivery.epoch is None else f"best epoch {delivery.epoch}"
            self._draw(trainer, matrix, f"{weights}, {words},\nat the ground truths' own sizes")
        elif delivery.epoch in self.matrices:
            self._draw_epoch(trainer, delivery.epoch, "best")

    def state_dict(self) -> dict[str, Any]:
        """Keeps the matrices, so that a resumed run knows that of its best epoch."""
        return {"matrices": self.matrices}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the matrices."""
        self.matrices = dict(state_dict["matrices"])

    def _draw_epoch(self, trainer: Trainer, epoch: int, kind: str) -> None:
        self._draw(trainer, self.matrices[epoch], f"{kind} epoch {epoch}, as trained, at the network's size")

    def _draw(self, trainer: Trainer, matrix: list[list[int]], title: str) -> None:
        figure = draw_confusion_matrix(np.array(matrix), title=f"all pixels of the validation images\n{title}")
        self.folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(self.folder / "confusion_matrix_val.png", dpi=120)
        for writer in tensorboard_writers(trainer):
            writer.add_figure("val/confusion_matrix", figure, trainer.global_step)


def draw_confusion_matrix(matrix: NDArray[np.int64], *, title: str) -> Figure:
    """Draws (2, 2) pixel counts, rows truth and columns prediction, skin first, shaded by each row's shares."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    pairs = zip(shares.tolist(), matrix.tolist(), strict=True)
    texts = [[f"{share:.1%}\n{pixels:,} px" for share, pixels in zip(*pair, strict=True)] for pair in pairs]
    figure = Figure(figsize=(4.4, 4.0), layout="constrained")
    draw_matrix(figure.add_subplot(), title, shares, texts)
    return figure
