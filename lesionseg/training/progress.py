"""Progress and speed of the training: a bar within each epoch and one line after it."""

import logging
import sys
import time
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from torch.utils.data import DataLoader

from lesionseg.system.machine import usable_cores
from lesionseg.training.loggers import tensorboard_writers

log = logging.getLogger(__name__)

ENOUGH_BATCHES = 10
"""An epoch of fewer says little: the workers are still filling their queues."""
REFRESHES_PER_SECOND = 4
"""Lightning redraws 100 times a second, which takes a share of one of two cores."""


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
        """Leaves out the time until the next batch, which is the validation's."""
        self._batch_end = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tells TensorBoard, and warns once if images are what is slow."""
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
    now = f" (now {batches.num_workers}, for {usable_cores()} cores)" if isinstance(batches, DataLoader) else ""
    return (
        f"The training waits for images {100 * share:.0f} % of its time. More num_workers{now}, data.cache=disk or "
        "memory, or augmentation=light may shorten that."
    )


class Progress(RichProgressBar):
    """Shows a bar while an epoch runs and leaves one line for each epoch, also where there is no terminal.

    A line reads: epoch, losses, the monitored value and the best so far, seconds for the epoch, images a second and the
    share of waiting for them if a `Pace` measures these, and time left.
    """

    def __init__(self, *, monitor: str, mode: Literal["min", "max"]) -> None:
        super().__init__(refresh_rate=REFRESHES_PER_SECOND if sys.stdout.isatty() else 0)
        self.monitor = monitor
        self.mode = mode
        self._best: float | None = None
        self._epoch_start = 0.0
        self._fit_start = 0.0
        self._first_epoch = 0

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Shows what the user asked Lightning for beside the bar, without the run's number, which means nothing."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        super().on_train_start(trainer, pl_module)
        self._fit_start = time.monotonic()
        self._first_epoch = trainer.current_epoch
        if trainer.fit_loop.restarted_mid_epoch:  # Lightning then tells nobody of the epoch's start
            self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the epoch's clock."""
        super().on_train_epoch_start(trainer, pl_module)
        self._epoch_start = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves the epoch's line above the bar, or plainly without one (a log file, a batch job)."""
        super().on_train_epoch_end(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        line = self._line(trainer)
        if self._console is not None:
            self._console.print(line, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)

    def state_dict(self) -> dict[str, Any]:
        """Keeps the best value, so that a resumed run does not call its first epoch the best."""
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best value."""
        self._best = state_dict["best"]

    def _line(self, trainer: Trainer) -> str:
        epoch, now = trainer.current_epoch + 1, time.monotonic()
        validated = epoch % (trainer.check_val_every_n_epoch or 1) == 0
        values = {name: value for name, value in trainer.callback_metrics.items() if validated or "val/" not in name}
        words = [f"epoch {epoch:>3}/{trainer.max_epochs}"]
        words += [f"{name} {float(values[name]):.4f}" for name in ("train/loss", "val/loss") if name in values]
        if self.monitor in values:
            words.append(self._monitored(float(values[self.monitor])))
        words.append(f"{now - self._epoch_start:.1f} s")
        words += _pace(trainer)
        if trainer.max_epochs and trainer.max_epochs > 0:
            left = (now - self._fit_start) / (epoch - self._first_epoch) * (trainer.max_epochs - epoch)
            words.append(f"{left / 60:.1f} min left" if left >= 60 else f"{left:.0f} s left")
        return "   ".join(words)

    def _monitored(self, value: float) -> str:
        """Tells the monitored value and whether it is the best so far."""
        better = self._best is None or (value > self._best if self.mode == "max" else value < self._best)
        if better:
            self._best = value
        return f"{self.monitor} {value:.4f}" + (" (best)" if better else f" (best {self._best:.4f})")


def _pace(trainer: Trainer) -> list[str]:
    """Tells what a `Pace` callback, if there is one, has measured in the epoch."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # Lightning's types lack it
    pace = next((callback for callback in callbacks if isinstance(callback, Pace)), None)
    if pace is None or pace.images_per_second is None:
        return []
    waiting = [] if pace.waiting_share is None else [f"waiting {100 * pace.waiting_share:.0f} %"]
    return [f"{pace.images_per_second:.0f} images/s", *waiting]
