"""Test images that the model has been trained on, recognised without the training images."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import distributed

from lesionseg.data.descriptor import Descriptor, LookAlike, descriptor, look_alikes


class KnownImages(Callback):
    """Describes the images of a test as they pass, and compares them with those of the training.

    Args:
        trained_on: Descriptors of the images of training and validation by id; without any, nothing is looked for.
    """

    def __init__(self, trained_on: Mapping[str, Descriptor]) -> None:
        self.trained_on = trained_on
        self.found: list[LookAlike] = []
        """Images of the last test that look like one of these, sorted by id; those of all processes."""
        self._tested: dict[str, Descriptor] = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets an earlier test."""
        self._tested = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Describes a batch's images, (B, 3, H, W) uint8."""
        if self.trained_on:
            pixels = batch["image"].permute(0, 2, 3, 1).cpu().numpy()
            self._tested |= {id_: descriptor(image) for id_, image in zip(batch["id"], pixels, strict=True)}

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares, in each process its own images, and gathers what all have found."""
        shares: list[Any] = [look_alikes(self._tested, self.trained_on)]
        if distributed.is_available() and distributed.is_initialized():
            own, shares = shares[0], [None] * distributed.get_world_size()
            distributed.all_gather_object(shares, own)
        self.found = sorted(pair for share in shares for pair in share)
