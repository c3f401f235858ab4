"""A run's checkpoints: its best epoch, and the last one that a resumed training continues from."""

import os
import signal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from lesionseg.errors import InterruptionError
from lesionseg.system.processes import Signals

NEXT, LAST, PREVIOUS = "next.ckpt", "last.ckpt", "previous.ckpt"
"""A checkpoint is written as the first, becomes the second, and then the third, each by renaming."""
Place = Literal["between_epochs", "within_epoch", "at_the_end"]
"""Names of the moments of saving, the checkpoint's `place`; Lightning's own counters hardly tell them apart."""


class BestCheckpoint(ModelCheckpoint):
    """Keeps the checkpoint of the epoch with the best monitored value as one file, `<folder>/best.ckpt`."""

    def __init__(self, *, folder: Path | str, monitor: str, mode: Literal["min", "max"]) -> None:
        super().__init__(dirpath=folder, filename="best", monitor=monitor, mode=mode, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best value, with its file in this folder, whatever paths the resumed checkpoint names.

        Without that file, the next validated epoch is the best.
        """
        best = Path(self.dirpath or "", "best.ckpt")
        if not state_dict["best_model_path"] or not best.is_file():
            return
        paths = dict.fromkeys(("best_model_path", "kth_best_model_path"), str(best))
        values = {"dirpath": self.dirpath, "last_model_path": "", "best_k_models": {str(best): state_dict["kth_value"]}}
        super().load_state_dict({**state_dict, **paths, **values})


class LastCheckpoint(Checkpoint):
    """Saves the training between its epochs, at its end and, when a signal asks it to stop, within an epoch.

    Lightning saves at the end of an epoch before the schedules that follow epochs have moved; a training resumed from
    there ends otherwise than one that was never stopped. Saved at the start of the next, everything is in it.

    Args:
        folder: Where `last.ckpt` and `previous.ckpt` are kept.
        every_epochs: Saves after every so many epochs, and at the end; what came after is trained again.

    Attributes:
        signals: Signals that stop the training; `Experiment` replaces them by those that the run has taken.

    Raises:
        ValueError: `every_epochs` is below 1.
    """

    def __init__(self, *, folder: Path | str, every_epochs: int) -> None:
        if every_epochs < 1:
            raise ValueError(f"callbacks.last_checkpoint.every_epochs is {every_epochs}; allowed: at least 1")
        self.folder = Path(folder)
        self.every_epochs = every_epochs
        self.signals = Signals()
        self._place: Place | None = None
        self._resumed: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts a resumed training where it was saved, and takes the signals back from Lightning."""
        if self._resumed is not None:
            if self._resumed["place"] != "within_epoch":
                trainer.fit_loop.restarting = False  # there is no epoch to be made up for
            metrics = self._resumed["lesionseg"]["metrics"]
            trainer.callback_metrics.update({name: torch.tensor(value) for name, value in metrics.items()})
        self.signals.install()
        self.signals.deferred = True

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves what the epochs before have left, unless it has just been resumed from there."""
        epoch, was_resumed = trainer.current_epoch, self._resumed is not None
        self._resumed = None
        if epoch > 0 and not was_resumed and (epoch % self.every_epochs == 0 or self._is_asked_to_stop(trainer)):
            self._save(trainer, "between_epochs")
        if epoch > 0:
            self._stop_if_asked(trainer, f"after epoch {epoch}")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves and stops if a signal asks for it, once the optimizer has made its step.

        After an epoch's last batch the validation still comes, and the next place is between the epochs.
        """
        if self._resumed is not None:
            trainer.fit_loop.restarting = False  # else schedules would not move at its end
            self._resumed = None
        is_between_steps = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if is_between_steps and not trainer.is_last_batch and self._is_asked_to_stop(trainer):
            self._save(trainer, "within_epoch")
            self._stop_if_asked(trainer, f"in epoch {trainer.current_epoch + 1} after {batch_idx + 1} batches")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the whole training."""
        self.signals.deferred = False
        self._save(trainer, "at_the_end")
        self._stop_if_asked(trainer, "after the training and before its test")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leaves the signals to what comes after a failed training."""
        self.signals.deferred = False

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Notes the place in a checkpoint to resume from."""
        if self._place is not None:
            checkpoint["place"] = self._place

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Notes what is resumed; a training that has ended, early or not, is over unless it is made longer."""
        self._resumed = {"place": checkpoint.get("place"), "lesionseg": checkpoint["lesionseg"]}
        planned = checkpoint["lesionseg"]["config"].get("trainer", {}).get("max_epochs")
        if checkpoint.get("place") == "at_the_end" and planned == trainer.max_epochs:
            trainer.should_stop = True

    def _save(self, trainer: Trainer, place: Place) -> None:
        """Writes the checkpoint under a name of its own first, so that there is always a whole one."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning's types lack it
            return
        self._place = place
        try:
            trainer.save_checkpoint(self.folder / NEXT, weights_only=False)
        finally:
            self._place = None
        if trainer.is_global_zero:
            if (self.folder / LAST).exists():
                os.replace(self.folder / LAST, self.folder / PREVIOUS)
            os.replace(self.folder / NEXT, self.folder / LAST)
        trainer.strategy.barrier("last.ckpt")

    def _is_asked_to_stop(self, trainer: Trainer) -> bool:
        """Tells whether any process has got a signal; all of them have to save together."""
        asked = self.signals.received is not None
        return asked if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(asked, all=False)

    def _stop_if_asked(self, trainer: Trainer, where: str) -> None:
        if self._is_asked_to_stop(trainer):
            number = self.signals.received or signal.SIGTERM
            raise InterruptionError(number, f"{signal.Signals(number).name}: stopped {where}")


class StepSeed(Callback):
    """Seeds PyTorch before each training step, so that a resumed training draws what an uninterrupted one would have.

    Each of several processes draws its own numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Seeds for the step at hand."""
        step = trainer.fit_loop.epoch_loop.total_batch_idx
        torch.manual_seed(step_seed(self.seed, step, trainer.global_rank))


def step_seed(*numbers: int) -> int:
    """Mixes numbers from 0 into a seed of 64 bits, by NumPy's SeedSequence."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
