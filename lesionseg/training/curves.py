"""A picture of the training curves at the end of each run."""

from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.report.chart import keep_apart
from lesionseg.training.module import SegmentationModule
from lesionseg.training.pictures import weights_in_words

COLOURS = {"train": "#0072b2", "val": "#d55e00"}
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""
PHASE_NAMES = {"train": "training", "val": "validation"}

History = dict[str, dict[int, float]]
"""Values by name, then by epoch counted from 0."""


class Curves(Callback):
    """Collects the value of every logged quantity at each epoch, and draws the loss and the chosen metrics at the end.

    Args:
        metrics: Names without their phase, for example `dice`.
        monitor: Value by which the best checkpoint is chosen; its best epoch is marked.
        mode: Whether `monitor` is better when larger (`max`) or smaller (`min`).
        path: File of the picture.
    """

    def __init__(self, *, metrics: list[str], monitor: str, mode: Literal["min", "max"], path: Path | str) -> None:
        self.metrics = list(metrics)
        self.monitor = monitor
        self.mode = mode
        self.path = Path(path)
        self.history: History = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the validation's values, before the epoch's checkpoint is written."""
        if not trainer.sanity_checking:
            self._note(trainer, "val/", trainer.current_epoch)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the training values of the epoch before: they are complete only after its last callback."""
        if trainer.current_epoch > 0:
            self._note(trainer, "train/", trainer.current_epoch - 1)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws, also when the training was stopped early."""
        if trainer.current_epoch > 0:
            self._note(trainer, "train/", trainer.current_epoch - 1)
        if self.history and trainer.is_global_zero:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            figure = draw_curves(self.history, metrics=self.metrics, monitor=self.monitor, mode=self.mode)
            figure.supxlabel(validated(trainer, pl_module), fontsize=8, color="0.3")
            figure.savefig(self.path, dpi=120)

    def state_dict(self) -> dict[str, Any]:
        """Keeps the history, so that a resumed run draws all of it."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the history."""
        self.history = state_dict["history"]

    def _note(self, trainer: Trainer, prefix: str, epoch: int) -> None:
        for name, value in trainer.callback_metrics.items():
            if name.startswith(prefix):
                self.history.setdefault(name, {})[epoch] = float(value)


def draw_curves(history: History, *, metrics: list[str], monitor: str, mode: Literal["min", "max"]) -> Figure:
    """Draws the loss and each metric over the epochs, training and validation, with the best epoch marked."""
    names = ["loss", *(name for name in metrics if any(key.endswith(f"/{name}") for key in history))]
    figure = Figure(figsize=(4.6 * len(names), 3.6), layout="constrained")
    best = best_epoch(history.get(monitor, {}), mode)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _draw_one(axes, history, name)
        if best is not None:
            axes.axvline(best + 1, color="0.6", linewidth=1, linestyle="--", zorder=0)
    if best is not None:
        figure.suptitle(f"best epoch {best + 1}: {monitor} = {history[monitor][best]:.4f}", fontsize=10, color="0.3")
    return figure


def validated(trainer: Trainer, module: LightningModule) -> str:
    """Says which images, weights and threshold the validation's numbers are of; empty for another kind of module."""
    data: Any = getattr(trainer, "datamodule", None)
    if not isinstance(module, SegmentationModule) or not isinstance(data, LesionDataModule):
        return ""
    dataset = data.dataset("validation")
    size = dataset[0, 0]["image"].shape[0]
    weights = weights_in_words(trainer, None).partition(", ")[2]
    threshold = f"threshold {module.segmenter.threshold:g}"
    return f"validation: all {len(dataset)} images at {size} x {size} pixels, weights {weights}, {threshold}"


def best_epoch(values: dict[int, float], mode: Literal["min", "max"]) -> int | None:
    """Returns the first epoch with the best value, counted from 0; None without any value."""
    choose = max if mode == "max" else min
    return choose(values, key=lambda epoch: values[epoch]) if values else None


def _draw_one(axes: Axes, history: History, name: str) -> None:
    """Draws one quantity of both phases; people count epochs from 1."""
    for phase, colour in COLOURS.items():
        values = sorted(history.get(f"{phase}/{name}", {}).items())
        epochs, heights = [epoch + 1 for epoch, _ in values], [value for _, value in values]
        axes.plot(epochs, heights, color=colour, label=PHASE_NAMES[phase], marker="." if len(values) < 40 else None)
    axes.set_title(name.replace("_", " "))
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    keep_apart(axes, "y", lowest=0.0)
    axes.legend(frameon=False)
