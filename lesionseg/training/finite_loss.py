"""A loss that is NaN or infinite: the training stops, or goes without that batch, before any weight is spoilt."""

import logging
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO
from lesionseg.errors import FaultError

log = logging.getLogger(__name__)


class FiniteLoss(Callback):
    """Looks at every training loss before the backward pass, for which a GPU has to be waited for once a step.

    A batch whose loss is not finite is kept in a file with what is needed to see why: `image`, `mask`, `id`, the loss,
    the epoch and the weights before the step, to be opened by `torch.load(file, weights_only=True)`.

    Args:
        action: `stop` ends the training with a message; `skip` makes no step for this batch and counts it. Statistics
            of batch normalisation have seen it all the same.
        most_skipped: So many in a row are skipped, at least 1; then the training stops.
        folder: Where the batches are kept.

    Attributes:
        skipped: How many batches have been skipped.

    Raises:
        ValueError: There is no such action, or `most_skipped` is below 1.
    """

    def __init__(self, *, action: Literal["stop", "skip"], most_skipped: int, folder: Path | str) -> None:
        if action not in ("stop", "skip") or most_skipped < 1:
            raise ValueError(
                f"callbacks.finite_loss has action {action} and most_skipped {most_skipped}; allowed: stop or skip, at "
                "least 1"
            )
        self.action = action
        self.most_skipped = most_skipped
        self.folder = Path(folder)
        self.skipped = 0
        self._in_a_row = 0
        self._batch: Any = None
        self._skips = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keeps the batch at hand."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Looks at the loss."""
        if bool(torch.isfinite(loss)):
            return
        path = self._keep_batch(trainer, pl_module, loss)
        ids = ", ".join(self._batch["id"])
        found = f"the loss is {float(loss.detach())} in epoch {trainer.current_epoch + 1}, for the batch of {ids}"
        if self.action == "stop" or self._in_a_row >= self.most_skipped:
            raise FaultError(
                f"{found}. The batch and the weights before it are in {path}. Lower optimizer.lr, give "
                "trainer.precision=32-true, or go without such batches by callbacks.finite_loss.action=skip"
            )
        log.warning("Skipped: %s. It is in %s", found, path)
        self._skips = True

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Takes the gradients of a skipped batch away, in all processes, so that the optimizer leaves the weights."""
        skips = trainer.strategy.reduce_boolean_decision(self._skips, all=False)
        self._in_a_row = self._in_a_row + 1 if skips else 0
        self.skipped += skips
        self._skips = False
        if skips:
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Keeps the counts."""
        return {"skipped": self.skipped, "in_a_row": self._in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the counts."""
        self.skipped, self._in_a_row = state_dict["skipped"], state_dict["in_a_row"]

    def _keep_batch(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> Path:
        """Writes the batch and the weights, and returns the file."""
        path = self.folder / f"not_finite_step_{trainer.global_step}_process_{trainer.global_rank}.pt"
        contents = {
            **{name: self._batch[name] for name in ("image", "mask", "id")},
            "loss": float(loss.detach()),
            "epoch": trainer.current_epoch,
            "state_dict": pl_module.state_dict(),
        }
        AtomicCheckpointIO().save_checkpoint(contents, path)
        return path
