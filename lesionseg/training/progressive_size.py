"""Progressive resizing: see the data often when it is small, then finely."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import functional


class ProgressiveSize(Callback):
    """Shrinks the training images of the first epochs, which then cost less; validation always sees the full size.

    After Howard et al.'s fast ImageNet training (DAWNBench, 2018) and Touvron et al. (Fixing the Train-Test Resolution
    Discrepancy, 2019): the last epochs at full size are what settles the statistics.

    Args:
        size: Height and width of the training images of the first epochs, in pixels, 32 or more.
        share: Share of the epochs that see this size, 0 to 1.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(self, *, size: int, share: float) -> None:
        if size < 32 or not 0 <= share <= 1:
            raise ValueError(
                f"callbacks.progressive_size has size {size} and share {share}; allowed: size at least 32, share 0 to 1"
            )
        self.size = size
        self.share = share

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Shrinks the batch in place; a batch that is no larger stays as it is."""
        first_epochs = round((trainer.max_epochs or 0) * self.share)
        if trainer.current_epoch < first_epochs and batch["image"].shape[-1] > self.size:
            batch["image"] = shrink(batch["image"], self.size)
            batch["mask"] = (shrink(batch["mask"] * 255, self.size) > 127).to(torch.uint8)


def shrink(image: Tensor, size: int) -> Tensor:
    """Averages (B, C, H, W) uint8 down to (B, C, size, size) uint8."""
    smaller = functional.interpolate(image, size=(size, size), mode="bilinear", antialias=True)
    return smaller.contiguous(memory_format=torch.channels_last)
