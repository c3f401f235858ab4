"""Words for what a machine does to a training: a full disk, too little memory, a worker that was killed."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lesionseg.data.loader import LOST, PATIENCE
from lesionseg.errors import FaultError
from lesionseg.system.files import disk_fault_of

MEMORY = (
    "lower batch_size (and raise trainer.accumulate_grad_batches by as much), image_size or model.base_channels, or "
    "set model.activation_checkpointing=true"
)
SHARED_MEMORY = (
    "shared memory is full (df -h /dev/shm): lower num_workers, batch_size or image_size, or enlarge it, for example "
    "by docker run --shm-size=8g"
)


def fault_of(error: BaseException) -> FaultError | None:
    """Words an error that the machine is to blame for; None for all others, which are faults of the program.

    Args:
        error: As it was raised.
    """
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
    """Lets a process that has met a fault end, which waits for its workers: a stopped one obeys no other signal."""
    for worker in multiprocessing.active_children():
        worker.kill()


DISK_WORDS = ("No space left on device", "PytorchStreamWriter failed", "unexpected pos")
"""In what torch raises when a checkpoint cannot be written."""
