"""The shared memory that worker processes hand their batches over in: as much as there is of it, and what fits in."""

import logging
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = Path("/dev/shm")
"""Where Linux has it; Docker gives a container 64 MB."""
AHEAD = 2
"""Batches that each worker makes ahead, as PyTorch has it where nothing else is said."""
IN_HAND = 2
"""Batches that have left a worker and are in use still."""


def free_shared_memory() -> int | None:
    """Tells how many bytes of it are free; None where the system has no such folder."""
    return shutil.disk_usage(FOLDER).free if FOLDER.is_dir() else None


def workers_that_fit(wanted: int, *, batch_bytes: int, processes: int) -> int:
    """Takes so many workers that their batches fit into shared memory, and says so where they are fewer than wanted.

    A worker that finds no room for a batch is killed by the system, or loses the batch.

    Args:
        wanted: Workers.
        batch_bytes: Size of one batch in bytes.
        processes: Training processes that share the memory.
    """
    free = free_shared_memory()
    if free is None:
        return wanted
    batches = free // processes // max(batch_bytes, 1)
    fitting = min(wanted, max((batches - IN_HAND) // AHEAD, 0))
    if fitting < wanted:
        log.warning(
            "Shared memory (%s) has %.1f MB left, and a batch takes %.1f MB: %d worker processes in place of %d. For "
            "more, enlarge it (docker run --shm-size=8g), or lower batch_size or image_size.",
            FOLDER,
            free / 1e6,
            batch_bytes / 1e6,
            fitting,
            wanted,
        )
    return fitting
