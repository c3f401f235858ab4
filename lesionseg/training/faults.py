"""Words for what a machine does to a training: a full disk, too little memory, a worker that was killed."""

import torch

from lesionseg.disk_faults import disk_fault_of
from lesionseg.errors import FaultError

MEMORY = (
    "lower batch_size (and raise trainer.accumulate_grad_batches by as much), image_size or model.base_channels, or "
    "set model.activation_checkpointing=true"
)


def fault_of(error: BaseException) -> FaultError | None:
    """Words an error that the machine is to blame for; None for all others, which are faults of the program.

    Args:
        error: As it was raised.
    """
    text = str(error)
    if fault := disk_fault_of(error):
        return fault
    if isinstance(error, RuntimeError) and any(words in text for words in DISK_WORDS):
        return FaultError(f"a file could not be written: {text.splitlines()[0]}")
    if isinstance(error, torch.OutOfMemoryError):
        return FaultError(f"the GPU's memory is too small for this: {MEMORY}, or let batch_size=auto find what fits")
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return FaultError(f"the memory is too small for this: {MEMORY}, or data.cache=disk")
    if "DataLoader worker" in text and ("killed by signal" in text or "exited unexpectedly" in text):
        return FaultError(
            f"a process that augments images was killed ({text.splitlines()[0]}), most often for want of memory: lower "
            "num_workers or batch_size"
        )
    return None


DISK_WORDS = ("No space left on device", "PytorchStreamWriter failed", "unexpected pos")
"""In what torch raises when a checkpoint cannot be written."""
