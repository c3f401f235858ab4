"""Faults that stop a training: a full disk, too little memory, a killed worker, a loss that is NaN or infinite."""

import logging
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO
from lesionseg.data.loader import LOST, PATIENCE
from lesionseg.errors import FaultError
from lesionseg.system.files import disk_fault_of

log = logging.getLogger(__name__)

DISK_WORDS = ("No space left on device", "PytorchStreamWriter failed", "unexpected pos")
"""Words of torch's errors when a checkpoint cannot be written."""
MEMORY = (
    "lower batch_size (and raise trainer.accumulate_grad_batches by as much), image_size or model.base_channels, or "
    "set model.activation_checkpointing=true"
)
SHARED_MEMORY = (
    "shared memory is full (df -h /dev/shm): lower num_workers, batch_size or image_size, or enlarge it, for example "
    "by docker run --shm-size=8g"
)


def fault_of(error: BaseException) -> FaultError | None:
    """Words an error that the machine is to blame for; None for all others, which are faults of the program."""
    text = f"{error}\n{error.__cause__ or ''}"  # of a worker, torch may tell the exit code in the cause alone
    if fault := disk_fault_of(error):
        return fault
    if isinstance(error, RuntimeError) and any(words in text for words in DISK_WORDS):
        return FaultError(f"a file could not be written: {text.splitlines()[0]}")
    if isinstance(error, torch.OutOfMemoryError):
        return FaultError(f"the GPU's memory is too small for this: {MEMORY}, or let batch_size=auto find what fits")
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return FaultError(f"the memory is too small for this: {MEMORY}, or data.cache=disk")
    if "DataLoader timed out" in text:
        return FaultError(
            f"a process that augments images gave none for {PATIENCE:.0f} seconds: it was stopped, or swapped out for "
            "want of memory. Lower num_workers (0: the training does it by itself) or batch_size"
        )
    if "DataLoader worker" in text and f"exit code {LOST}" in text:
        return FaultError(f"a process that augments images could not hand them over: {SHARED_MEMORY}")
    if "DataLoader worker" in text and ("killed by signal" in text or "exited unexpectedly" in text):
        return FaultError(
            f"a process that augments images was killed ({text.splitlines()[0]}), most often for want of memory: lower "
            f"num_workers or batch_size. If it was a bus error, {SHARED_MEMORY}"
        )
    return None


@contextmanager
def faults_told() -> Iterator[None]:
    """Raises a `FaultError` in place of an error that the machine is to blame for."""
    try:
        yield
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        end_workers()
        raise fault from error


def end_workers() -> None:
    """Kills the workers that a process would wait for at its end: a stopped one obeys no other signal."""
    for worker in multiprocessing.active_children():
        worker.kill()


class FiniteLoss(Callback):
    """Stops the training, or skips the batch, when a loss is NaN or infinite, before any weight is spoilt.

    It waits for a GPU once a step. A batch whose loss is not finite is kept in a file with what is needed to see why:
    `image`, `mask`, `id`, the loss, the epoch and the weights before the step, to be opened by
    `torch.load(file, weights_only=True)`.

    Args:
        action: `stop` ends the training with a message; `skip` makes no step for this batch and counts it, although
            the statistics of batch normalisation have seen it.
        most_skipped: Number of batches in a row that are skipped, at least 1; then the training stops.
        folder: Folder of the batches that are kept.

    Attributes:
        skipped: Number of batches that were skipped.

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
        """Drops the gradients of a skipped batch in all processes, so that the optimizer leaves the weights."""
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
