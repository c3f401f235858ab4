"""Pictures of the same few samples after every validation: watch the outlines move to where they belong."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lesionseg.callbacks.tensorboard import tensorboard_writers
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.dataset import collate
from lesionseg.drawing import Array, sample_sheet
from lesionseg.model.segmenter import Segmenter


class SampleMasks(Callback):
    """Draws image, truth and prediction of validation samples, always the same ones, spread evenly over the part.

    The pictures go to TensorBoard (`samples/val`); the latest one also to a file.

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
            self._log(trainer, self._draw(trainer, pl_module))

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> Array:
        segmenter, data = pl_module.segmenter, trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(segmenter, Segmenter) or not isinstance(data, LesionDataModule):
            raise TypeError("sample masks need a SegmentationModule and a LesionDataModule")
        dataset = data.dataset("validation")
        indices = np.linspace(0, len(dataset) - 1, min(self.count, len(dataset))).round().astype(int).tolist()
        items = [dataset[index, 0] for index in indices]
        with torch.no_grad():
            predicted = segmenter.mask(collate(items)["image"].to(pl_module.device))[:, 0].cpu().numpy()
        masks = [item["mask"] for item in items]
        captions = [
            f"{item['id']}   Dice {_dice(mask, item['mask']):.3f}" for mask, item in zip(predicted, items, strict=True)
        ]
        return sample_sheet([item["image"] for item in items], masks, list(predicted), captions)

    def _log(self, trainer: Trainer, sheet: Array) -> None:
        for writer in tensorboard_writers(trainer):
            writer.add_image("samples/val", sheet, trainer.global_step, dataformats="HWC")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self.path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def _dice(prediction: Array, target: Array) -> float:
    """Dice of two masks, for a caption; 1 when both are empty."""
    total = int(prediction.sum()) + int(target.sum())
    return 2 * int(np.logical_and(prediction, target).sum()) / total if total else 1.0
