"""The processes of a training: their ranks, forks, signals and SLURM job."""

from __future__ import annotations

import functools
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lesionseg.errors import InputError, InterruptionError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
"""Set by torchrun, Lightning's own launcher and SLURM's `srun`, in the order in which Lightning reads them."""
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Ctrl-C, a batch system's request to leave, and its warning that the time is nearly over."""

Handler = Any
"""Type of a handler for `signal.signal`."""


def process_rank() -> int:
    """Returns this process's number in its training, 0 for the first and the only one, before PyTorch is loaded."""
    found = (os.environ.get(name) for name in RANKS)
    return next((int(value) for value in found if value is not None and value.isdigit()), 0)


def is_first_process() -> bool:
    """Tells whether this is the process that makes folders and writes files."""
    return process_rank() == 0


def local_processes(world_size: int) -> int:
    """Counts the processes of a training on this machine: all of them, unless a launcher says otherwise."""
    found = (os.environ.get(name, "") for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE"))
    return min(next((int(value) for value in found if value.isdigit() and int(value) > 0), world_size), world_size)


def takes_processes(cfg: DictConfig) -> bool:
    """Tells whether the trainer of a configuration runs in several processes."""
    return str(cfg.trainer.get("strategy") or "auto") != "auto" or str(cfg.trainer.devices) not in ("1", "auto")


@functools.cache
def outlive_forks() -> None:
    """Limits every child that this process forks from now on to one thread, as PyTorch does for its data workers.

    A forked child lacks its parent's threads, for which PyTorch and OpenCV would wait for ever.
    """
    if hasattr(os, "register_at_fork"):  # Windows forks nothing
        os.register_at_fork(after_in_child=_compute_alone)


def refuse_gpu_after_fork(device: torch.device, opened_by: int) -> None:
    """Raises an `InputError` if a model on a GPU was opened by another process, which CUDA does not allow.

    Args:
        device: Device of the model.
        opened_by: Number of the process that opened the model.
    """
    if device.type != "cpu" and os.getpid() != opened_by:
        raise InputError(
            f"the model was opened on {device} by another process, of which this one is a fork: CUDA cannot be used "
            "here. Start processes by multiprocessing's 'spawn' or 'forkserver', and open the model in each, or open "
            "it with device='cpu'"
        )


class Signals:
    """Handles the signals that ask a training to stop.

    While `deferred`, the first signal is only kept in `received`, so that the training can be saved. Any other signal
    raises `InterruptionError` at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Handles the signals while the context lasts; does nothing in a thread, which receives none."""
        before = self.install()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def install(self) -> dict[int, Handler]:
        """Installs the handler, also over those that Lightning installs for a fit, and returns the earlier ones."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {number: signal.signal(number, self._handle) for number in STOPPING}

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.deferred and self.received is None:
            self.received = number
            return
        self.received = number
        raise InterruptionError(number, f"{signal.Signals(number).name}: stopped at once")


def requeue(signal_number: int) -> None:
    """Requeues this SLURM job, from its first process, if SIGUSR1 has stopped it.

    `#SBATCH --signal=USR1@120` sends that signal before the time is over. SIGTERM is also how a user cancels a job,
    which must not come back; SLURM itself requeues a job that it pre-empts by SIGTERM (PreemptMode=REQUEUE).
    """
    job = job_number()
    if job is None or signal_number != signal.SIGUSR1 or not is_first_process():
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("SLURM job %s could not be requeued (%s); submit it again.", job, error)
    else:
        log.info("SLURM job %s is requeued; with resume=auto it continues from its last checkpoint.", job)


def job_number() -> str | None:
    """Returns the SLURM job as `scontrol` names it, `12` or, in an array, `12_3`; None outside of SLURM."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def _compute_alone() -> None:
    """Limits those libraries that are loaded; an exported model needs no PyTorch."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    if (cv2 := sys.modules.get("cv2")) is not None:
        cv2.setNumThreads(0)
