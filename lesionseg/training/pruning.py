"""Pruning: a job of a sweep that is hopeless beside the others is given up."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from lesionseg.config.command_line import COMMAND
from lesionseg.errors import InputError, PruningError
from lesionseg.system.files import write_json
from lesionseg.system.run_folder import read_record

FILE = "monitored.json"
"""File in each job's folder with its monitored values so far, which other jobs of the sweep compare with theirs."""

History = dict[int, float]
"""The monitored value by epoch, counted from 1; epochs without validation, or with NaN or infinity, have none."""


class Pruning(Callback):
    """Stops a training by the median rule of Google Vizier (Golovin et al., 2017, section 3.2.2).

    After an epoch the job is given up, by a `PruningError`, if its best value so far is worse than the median, over the
    jobs that have ended, of the mean value that each had up to this epoch. These are read from the jobs' folders, so
    that it does not matter who started the jobs: a grid, Optuna or anything else.

    A run that is no job of a sweep is never given up, nor is one that has just ended, early or not.

    Args:
        monitor: A value that validation logs, for example `val/dice`.
        mode: Whether it is better when larger (`max`) or smaller (`min`).
        folder: Folder of the run, beside those of the other jobs.
        warmup_epochs: Number of epochs before which no job is given up, at least 0.
        at_least_jobs: Number of jobs that have to end before any is given up, at least 1.

    Raises:
        ValueError: A number is out of its range.
    """

    def __init__(
        self, *, monitor: str, mode: Literal["min", "max"], folder: Path | str, warmup_epochs: int, at_least_jobs: int
    ) -> None:
        if warmup_epochs < 0 or at_least_jobs < 1:
            raise ValueError(
                f"callbacks.pruning has warmup_epochs {warmup_epochs} and at_least_jobs {at_least_jobs}; allowed: at "
                "least 0 and at least 1"
            )
        self.monitor = monitor
        self.mode = mode
        self.folder = Path(folder)
        self.warmup_epochs = warmup_epochs
        self.at_least_jobs = at_least_jobs
        self.history: History = {}
        self._ended: dict[str, History] = {}
        """Values of the jobs that have ended, by their folders' names."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the value, before the epoch's checkpoint is written."""
        value = trainer.callback_metrics.get(self.monitor)
        if trainer.sanity_checking or value is None or not math.isfinite(value):
            return
        self.history[trainer.current_epoch + 1] = float(value)
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning's types lack it
            write_json(self.folder / FILE, {"monitor": self.monitor, "values": self.history})

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gives the job up if it is hopeless, in all processes."""
        epoch = trainer.current_epoch + 1
        is_over = trainer.should_stop or epoch == trainer.max_epochs
        if is_over or epoch not in self.history or epoch <= self.warmup_epochs:
            return
        reason = self._reason(epoch) if trainer.is_global_zero else None
        reason = trainer.strategy.broadcast(reason)
        if reason is not None:
            raise PruningError(reason, {self.monitor: self._best()})

    def state_dict(self) -> dict[str, Any]:
        """Keeps the values, so that a resumed job is judged by all of them."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the values."""
        self.history = dict(state_dict["history"])

    def _best(self) -> float:
        return max(self.history.values()) if self.mode == "max" else min(self.history.values())

    def _reason(self, epoch: int) -> str | None:
        """Says why the job is hopeless after an epoch; None where it is not."""
        self._ended |= ended_jobs(self.folder, self.monitor, known=self._ended)
        others = list(self._ended.values())
        if len(others) < self.at_least_jobs:
            return None
        best, threshold = self._best(), median_of_means(others, epoch)
        if threshold is None or not (best < threshold if self.mode == "max" else best > threshold):
            return None
        return (
            f"after epoch {epoch} its best {self.monitor}, {best:.4f}, is worse than {threshold:.4f}, the median of "
            f"the means of {len(others)} other jobs"
        )


def ended_jobs(folder: Path, monitor: str, *, known: Collection[str] = ()) -> dict[str, History]:
    """Reads the values of the other jobs of a sweep that have finished or were given up, by their folders' names.

    Jobs that are `known`, monitor something else, or whose files are damaged are left out.
    """
    if not (folder.parent / COMMAND).is_file():
        return {}
    passed_over = {folder.name, *known}
    paths = [path for path in sorted(folder.parent.glob(f"*/{FILE}")) if path.parent.name not in passed_over]
    histories = {path.parent.name: _read(path, monitor) for path in paths if _has_ended_well(path.parent)}
    return {name: history for name, history in histories.items() if history}


def median_of_means(histories: Sequence[Mapping[int, float]], epoch: int) -> float | None:
    """Returns the median of the mean values that jobs had up to an epoch; None if none had any."""
    means = [fmean(early) for history in histories if (early := [history[at] for at in history if at <= epoch])]
    return median(means) if means else None


def _has_ended_well(folder: Path) -> bool:
    try:
        record = read_record(folder)
    except InputError:
        return False
    return record is not None and record.has_ended_well


def _read(path: Path, monitor: str) -> History:
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        if contents["monitor"] != monitor:
            return {}
        return {int(epoch): float(value) for epoch, value in contents["values"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
