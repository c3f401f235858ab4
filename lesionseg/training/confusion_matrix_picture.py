"""A picture of the confusion matrix at the end of each run."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionseg.metrics.confusion_matrix import ConfusionMatrix
from lesionseg.report.figures import draw_matrix
from lesionseg.training.delivery import Delivery, DeliveryCallback
from lesionseg.training.loggers import tensorboard_writers
from lesionseg.training.module import SegmentationModule


class ConfusionMatrixPicture(DeliveryCallback):
    """Draws the confusion matrix of all pixels of the validation images; a test's stands in its report.

    After training it is that of the last validation; once the decision is fitted, that of the best weights with the
    decision, at the ground truths' own sizes.

    Args:
        metric: Name of the metric in the configuration that computes it.
        folder: Where `confusion_matrix_val.png` goes; TensorBoard gets it as `val/confusion_matrix`.
    """

    def __init__(self, *, metric: str, folder: Path | str) -> None:
        self.metric = metric
        self.folder = Path(folder)
        self.matrices: dict[int, list[list[int]]] = {}
        """Counts of each validated epoch, counted from 1."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes an epoch's matrix, before the checkpoint is written."""
        matrices = pl_module.matrices if isinstance(pl_module, SegmentationModule) else {}
        matrix = matrices.get(f"val/{self.metric}")
        if matrix is not None and not trainer.sanity_checking:
            self.matrices[trainer.current_epoch + 1] = matrix.tolist()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the last validation's, for a training that ends without anything to deliver."""
        if self.matrices and trainer.is_global_zero:
            self._draw_epoch(trainer, max(self.matrices), "last")

    def on_delivery(self, trainer: Trainer, delivery: Delivery) -> None:
        """Draws that of what is handed over."""
        if delivery.counts is not None and self.matrices:
            postprocessing = delivery.segmenter.postprocessing
            matrix = [list(row) for row in ConfusionMatrix().score(delivery.counts)]
            weights = "last weights" if delivery.epoch is None else f"best epoch {delivery.epoch}"
            self._draw(trainer, matrix, f"{weights}, {postprocessing.briefly()},\nat the ground truths' own sizes")
        elif delivery.epoch in self.matrices:
            self._draw_epoch(trainer, delivery.epoch, "best")

    def state_dict(self) -> dict[str, Any]:
        """Keeps the matrices, so that a resumed run knows that of its best epoch."""
        return {"matrices": self.matrices}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the matrices."""
        self.matrices = dict(state_dict["matrices"])

    def _draw_epoch(self, trainer: Trainer, epoch: int, kind: str) -> None:
        self._draw(trainer, self.matrices[epoch], f"{kind} epoch {epoch}, as trained, at the network's size")

    def _draw(self, trainer: Trainer, matrix: list[list[int]], title: str) -> None:
        figure = draw_confusion_matrix(np.array(matrix), title=f"all pixels of the validation images\n{title}")
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
    pairs = zip(shares.tolist(), matrix.tolist(), strict=True)
    texts = [[f"{share:.1%}\n{pixels:,} px" for share, pixels in zip(*pair, strict=True)] for pair in pairs]
    figure = Figure(figsize=(4.4, 4.0), layout="constrained")
    draw_matrix(figure.add_subplot(), title, shares, texts)
    return figure
