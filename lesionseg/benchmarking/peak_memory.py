"""The peak memory of a training step, measured where nothing else has been."""

import gc
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lesionseg.benchmarking.missing import NotMeasurableError
from lesionseg.benchmarking.subject import Subject, SubjectSettings, build_subject
from lesionseg.benchmarking.training_step import TrainingStep
from lesionseg.system.device import limit_threads

STEPS = 3
"""The optimizer's state is there from the first on, and the second needs it beside the gradients."""
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""What Linux takes as a wish to forget the highest memory so far; see proc(5)."""


@dataclass(frozen=True)
class TrainingSettings:
    """What a training step is built from; plain values, so that another process can build it too."""

    subject: SubjectSettings
    loss: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    batch_size: int
    image_size: int

    def step(self, subject: Subject) -> TrainingStep:
        """Builds the step of a subject that has been built."""
        return TrainingStep(
            subject,
            loss=self.loss,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
            image_size=self.image_size,
        )


def peak_memory(settings: TrainingSettings) -> int:
    """Measures in a process of its own, see `training_peak`.

    Returns:
        Bytes.

    Raises:
        NotMeasurableError: The process was killed, or the system does not tell.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(training_peak, settings).result()
        except BrokenProcessPool as error:
            raise NotMeasurableError("its process was killed, perhaps for want of memory") from error


def training_peak(settings: TrainingSettings) -> int:
    """Measures how much memory training takes at its worst, with weights, gradients, optimizer and activations.

    On a CPU it is what the process grows by from when the libraries are there and warm: its resident memory's peak. On
    a GPU it is the most that PyTorch had allocated there.

    Returns:
        Bytes.

    Raises:
        NotMeasurableError: The system does not tell; on a CPU, only Linux does.
    """
    limit_threads()
    if settings.subject.device.startswith("cuda"):
        return _gpu_peak(settings)
    if not sys.platform.startswith("linux"):
        raise NotMeasurableError("only Linux tells a process's peak memory from a point in time on")
    _warm_up()
    before = _forget_peak()
    _take_steps(settings)
    return _kibibytes("VmHWM") * 1024 - before


def _gpu_peak(settings: TrainingSettings) -> int:
    torch.cuda.reset_peak_memory_stats(settings.subject.device)
    _take_steps(settings)
    return torch.cuda.max_memory_allocated(settings.subject.device)


def _take_steps(settings: TrainingSettings) -> None:
    step = settings.step(build_subject(settings.subject))
    for _ in range(STEPS):
        step()
    step.subject.wait()


def _warm_up() -> None:
    """Has everything loaded that the first step of any training loads, 100 MB or so."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(2, 3, 16, 16)).mean().backward()
    optimizer.step()


def _forget_peak() -> int:
    """Starts a new peak and returns the bytes that are resident now."""
    gc.collect()
    CLEAR.write_text(FORGET_PEAK)
    return _kibibytes("VmRSS") * 1024


def _kibibytes(name: str) -> int:
    """Reads a line such as `VmHWM:  123 kB` of the process's status."""
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
