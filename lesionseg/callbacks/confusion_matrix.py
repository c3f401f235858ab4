"""A picture of the confusion matrix at the end of each run."""

from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionseg.callbacks.tensorboard import tensorboard_writers
from lesionseg.training.module import SegmentationModule

CLASSES = ("skin", "lesion")


class ConfusionMatrixPicture(Callback):
    """Draws the confusion matrix of all pixels of the last validation; a test's stands in its report.

    Args:
        metric: Name of the metric in the configuration that computes it.
        folder: Where `confusion_matrix_val.png` goes; TensorBoard gets it as `val/confusion_matrix`.
    """

    def __init__(self, *, metric: str, folder: Path | str) -> None:
        self.metric = metric
        self.folder = Path(folder)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws it."""
        matrices = pl_module.matrices if isinstance(pl_module, SegmentationModule) else {}
        matrix = matrices.get(f"val/{self.metric}")
        if matrix is None or not trainer.is_global_zero:
            return
        figure = draw_confusion_matrix(matrix.cpu().numpy(), title="all pixels of the last validation's images")
        self.folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(self.folder / "confusion_matrix_val.png", dpi=120)
        for writer in tensorboard_writers(trainer):
            writer.add_figure("val/confusion_matrix", figure, trainer.global_step)


def draw_confusion_matrix(matrix: NDArray[np.int64], *, title: str) -> Figure:
    """Draws pixel counts, rows truth and columns prediction, shaded by each row's shares.

    Args:
        matrix: (2, 2) numbers of pixels; skin first, lesion second.
        title: Above the picture.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.1%}\n{int(matrix[row, column]):,} px"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "0.15")
    axes.set_xticks(range(2), [f"{name}" for name in CLASSES])
    axes.set_yticks(range(2), CLASSES, rotation=90, va="center")
    axes.set_xlabel("prediction")
    axes.set_ylabel("truth")
    axes.set_title(title, fontsize=10)
    return figure
