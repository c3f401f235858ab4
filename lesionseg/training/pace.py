"""How fast the training is, and how much of its time it waits for images."""

import logging
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from lesionseg.system.machine import usable_cores
from lesionseg.training.tensorboard import tensorboard_writers

log = logging.getLogger(__name__)

ENOUGH_BATCHES = 10
"""An epoch of fewer says little: the workers are still filling their queues."""


class Pace(Callback):
    """Measures, in every epoch, how long the training steps take and how long the time between two of them is.

    Between the end of a batch and the start of the next, the training waits for the data loader and does what little
    Lightning and other callbacks do there. The epoch's first batch, for which workers start or fill their queues,
    and validations are left out. Progress shows both numbers, and TensorBoard has them under `pace/`; they are not
    logged as metrics, for those of a resumed run equal those of an uninterrupted one.

    The clock is the host's. A GPU still works when the host is done with a batch, so what is measured is the most that
    it can have waited: it is right where images are what is slow, and too much where the GPU is. With several GPUs,
    Lightning waits for them between batches, and it means nothing; nothing is warned of there.

    Args:
        warn_above: A share of waiting, 0 to 1, above which one line says, once, what to do. The first epoch and those
            of fewer than `ENOUGH_BATCHES` batches are not judged.

    Raises:
        ValueError: The share is out of its range.
    """

    def __init__(self, *, warn_above: float) -> None:
        if not 0 <= warn_above <= 1:
            raise ValueError(f"callbacks.pace.warn_above is {warn_above}; allowed: 0 to 1")
        self.warn_above = warn_above
        self._has_warned = False
        self._epochs_begun = 0
        self._world_size = 1
        self._batch_start = 0.0
        self._batch_end: float | None = None
        self._start_over()

    @property
    def images_per_second(self) -> float | None:
        """Images a second of the epoch so far, if all processes are as fast as this one; None before a batch."""
        time_taken = self._waiting + self._working
        return self._images * self._world_size / time_taken if time_taken > 0 else None

    @property
    def waiting_share(self) -> float | None:
        """Share of the epoch so far that was spent waiting, 0 to 1; None before the second batch."""
        return self._waiting / (self._waiting + self._working) if self._batches > 1 and self._working > 0 else None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the epoch before."""
        self._start_over()
        self._epochs_begun += 1
        self._world_size = trainer.world_size

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Takes the time since the last batch as waiting."""
        self._batch_start = time.monotonic()
        if self._batch_end is not None:
            self._waiting += self._batch_start - self._batch_end

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Takes the time since the batch has come as work."""
        self._batch_end = time.monotonic()
        self._working += self._batch_end - self._batch_start
        self._images += len(batch["image"])
        self._batches += 1

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves out the time until the next batch: it is the validation's."""
        self._batch_end = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tells TensorBoard, and warns once where images are what is slow."""
        for writer in tensorboard_writers(trainer):
            for name in ("images_per_second", "waiting_share"):
                value = getattr(self, name)
                if value is not None:
                    writer.add_scalar(f"pace/{name}", value, trainer.global_step)
        if self._is_too_slow(trainer) and not self._has_warned:
            self._has_warned = True
            log.warning(_advice(self.waiting_share or 0, trainer.train_dataloader))

    def _start_over(self) -> None:
        self._waiting = self._working = 0.0
        self._images = self._batches = 0
        self._batch_end = None

    def _is_too_slow(self, trainer: Trainer) -> bool:
        """Judges the epoch; a first one has much to load and to warm up."""
        several_gpus = trainer.world_size > 1 and trainer.strategy.root_device.type != "cpu"
        if self._epochs_begun < 2 or self._batches < ENOUGH_BATCHES or several_gpus or not trainer.is_global_zero:
            return False
        return (self.waiting_share or 0) > self.warn_above


def _advice(share: float, batches: Any) -> str:
    """Words what was found and what to do, in one line."""
    now = f" (now {batches.num_workers}, for {usable_cores()} cores)" if isinstance(batches, DataLoader) else ""
    return (
        f"The training waits for images {100 * share:.0f} % of its time. More num_workers{now}, data.cache=disk or "
        "memory, or augmentation=light may shorten that."
    )
