"""Pictures of the same few samples after every validation: watch the outlines move to where they belong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.loader import Item, LesionDataset, collate
from lesionseg.data.masks import Array
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.run_length import LESION
from lesionseg.report.picture_sheet import sample_sheet
from lesionseg.training.delivery import Delivery, DeliveryCallback, caption, weights_in_words
from lesionseg.training.loggers import tensorboard_writers


class SampleMasks(DeliveryCallback):
    """Draws image, truth and prediction of validation samples, always the same ones, spread evenly over the part.

    The pictures go to TensorBoard (`samples/val`); the latest one also to a file. The last of all, in TensorBoard
    `samples/val_delivered`, is of the best weights with the decision that is handed over.

    Args:
        count: How many samples.
        every_epochs: A picture after every so many epochs, and after the first and the last.
        path: The file of the latest picture.
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
        """Draws what is handed over: the best weights with the decision, at the ground truths' own sizes."""
        dataset = _validation(trainer)
        segmenter, rows = delivery.segmenter, self._rows(dataset)
        items = [dataset[row, 0] for row in rows]
        device = next(segmenter.parameters()).device
        with torch.inference_mode(), trainer.precision_plugin.forward_context():
            probabilities = segmenter.eval().probability(collate(items)["image"].to(device))[:, 0].float().cpu().numpy()
        targets = [dataset.cache.samples[dataset.rows[row]].mask() for row in rows]
        masks = [
            segmenter.postprocessing.mask(probability, target.shape).pixels() // LESION
            for probability, target in zip(probabilities, targets, strict=True)
        ]
        weights = weights_in_words(trainer, delivery.epoch, is_best=True)
        note = caption(len(rows), len(dataset), weights, segmenter.postprocessing, "scored at the truths' own sizes")
        self._log(trainer, _sheet(items, targets, masks, note), tag="samples/val_delivered")

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> Array:
        segmenter, dataset = pl_module.segmenter, _validation(trainer)
        if not isinstance(segmenter, Segmenter):
            raise TypeError("sample masks need a SegmentationModule")
        items = [dataset[row, 0] for row in self._rows(dataset)]
        with torch.no_grad():
            predicted = segmenter.mask(collate(items)["image"].to(pl_module.device))[:, 0].cpu().numpy()
        weights, size = weights_in_words(trainer, trainer.current_epoch + 1), items[0]["image"].shape[0]
        note = caption(len(items), len(dataset), weights, segmenter.postprocessing, f"scored at {size} x {size} pixels")
        return _sheet(items, [item["mask"] for item in items], list(predicted), note)

    def _rows(self, dataset: LesionDataset) -> list[int]:
        """Chooses the samples, evenly spread over the part."""
        rows = np.linspace(0, len(dataset) - 1, min(self.count, len(dataset))).round().astype(int)
        return [int(row) for row in rows]

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


def _sheet(items: Sequence[Item], targets: Sequence[Array], masks: Sequence[Array], note: str) -> Array:
    captions = [
        f"{item['id']}   Dice {_dice(mask, target):.3f}"
        for item, mask, target in zip(items, masks, targets, strict=True)
    ]
    return sample_sheet([item["image"] for item in items], targets, masks, captions, note=note)


def _dice(prediction: Array, target: Array) -> float:
    """Dice of two masks, for a caption; 1 when both are empty."""
    total = int(prediction.sum()) + int(target.sum())
    return 2 * int(np.logical_and(prediction, target).sum()) / total if total else 1.0
