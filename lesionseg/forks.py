"""Forked processes: a child has its parent's memory, but not the threads that its parent computed with."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING

from lesionseg.errors import InputError

if TYPE_CHECKING:
    import torch


@functools.cache
def outlive_forks() -> None:
    """Lets every child that this process forks from now on compute with one thread, as PyTorch's own data workers do.

    PyTorch and OpenCV would wait for ever for threads of the parent's. A child may raise the numbers again only after
    it has started another program.
    """
    if hasattr(os, "register_at_fork"):  # Windows forks nothing
        os.register_at_fork(after_in_child=_compute_alone)


def refuse_gpu_after_fork(device: torch.device, opened_by: int) -> None:
    """Says what to do where a child is to use its parent's model on a GPU, which CUDA cannot.

    Args:
        device: Device of the model.
        opened_by: Number of the process that opened it.

    Raises:
        InputError: This is another process, and `device` a GPU.
    """
    if device.type != "cpu" and os.getpid() != opened_by:
        raise InputError(
            f"the model was opened on {device} by another process, of which this one is a fork: CUDA cannot be used "
            "here. Start processes by multiprocessing's 'spawn' or 'forkserver', and open the model in each, or open "
            "it with device='cpu'"
        )


def _compute_alone() -> None:
    """Tells those libraries that are there: an exported model does without PyTorch."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    if (cv2 := sys.modules.get("cv2")) is not None:
        cv2.setNumThreads(0)
