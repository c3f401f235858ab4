"""Progress for people: a bar within the epoch, one line after it."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from lesionseg.training.pace import Pace

REFRESHES_PER_SECOND = 4
"""Lightning redraws 100 times a second, which takes a share of one of two cores."""


class Progress(RichProgressBar):
    """Shows a bar while an epoch runs and leaves one line for each epoch, also where there is no terminal.

    A line reads: epoch, losses, the monitored value and the best so far, seconds for the epoch, images a second and the
    share of waiting for them where a `Pace` measures these, and time left.

    Args:
        monitor: The value the best checkpoint is chosen by, for example `val/dice`.
        mode: Whether it is better when larger (`max`) or smaller (`min`).
    """

    def __init__(self, *, monitor: str, mode: str) -> None:
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
        """Shows nothing beside the bar but what Lightning's users asked for; the run's number means nothing here."""
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
        """Leaves the epoch's line."""
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.is_global_zero:
            self._print(self._line(trainer))

    def state_dict(self) -> dict[str, Any]:
        """Keeps the best value, so that a resumed run does not call its first epoch the best."""
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best value."""
        self._best = state_dict["best"]

    def _line(self, trainer: Trainer) -> str:
        epochs_done = trainer.current_epoch + 1 - self._first_epoch
        now = time.monotonic()
        parts = [f"epoch {trainer.current_epoch + 1:>3}/{trainer.max_epochs}"]
        validated = (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        values = {name: value for name, value in trainer.callback_metrics.items() if validated or "val/" not in name}
        parts += [f"{name} {float(values[name]):.4f}" for name in ("train/loss", "val/loss") if name in values]
        if self.monitor in values:
            parts.append(self._monitored(float(values[self.monitor])))
        parts.append(f"{now - self._epoch_start:.1f} s")
        parts += _pace(trainer)
        if trainer.max_epochs and trainer.max_epochs > 0:
            left = (now - self._fit_start) / epochs_done * (trainer.max_epochs - trainer.current_epoch - 1)
            parts.append(f"{left / 60:.1f} min left" if left >= 60 else f"{left:.0f} s left")
        return "   ".join(parts)

    def _monitored(self, value: float) -> str:
        """Tells the monitored value and whether it is the best so far."""
        better = self._best is None or (value > self._best if self.mode == "max" else value < self._best)
        if better:
            self._best = value
        return f"{self.monitor} {value:.4f}" + (" (best)" if better else f" (best {self._best:.4f})")

    def _print(self, line: str) -> None:
        """Prints above the bar, or plainly where there is none (a log file, a batch job)."""
        if self._console is not None:
            self._console.print(line, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)


def _pace(trainer: Trainer) -> list[str]:
    """Tells what a `Pace` callback, if there is one, has measured in the epoch."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # Lightning's types lack it
    pace = next((callback for callback in callbacks if isinstance(callback, Pace)), None)
    if pace is None or pace.images_per_second is None:
        return []
    waiting = [] if pace.waiting_share is None else [f"waiting {100 * pace.waiting_share:.0f} %"]
    return [f"{pace.images_per_second:.0f} images/s", *waiting]
