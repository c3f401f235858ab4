"""Training steps, and their peak memory in a process that has done nothing else."""

import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from lesionseg.benchmarking.subject import Subject, SubjectSettings, build_subject
from lesionseg.benchmarking.timing import NotMeasurableError, Row, Speed, Work
from lesionseg.checkpoint.engine import PRECISIONS
from lesionseg.config.build import build
from lesionseg.system.device import limit_threads
from lesionseg.training.optimizer import PlainStep, random_batch

STEPS = 3
"""The optimizer's state exists from the first step on, and the second needs it beside the gradients."""
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""Written to `CLEAR`, makes Linux reset the peak of the resident memory; see proc(5)."""


@dataclass(frozen=True)
class TrainingSettings:
    """Plain values that a training step is built from, also in another process."""

    subject: SubjectSettings
    loss: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    batch_size: int
    image_size: int


class TrainingStep:
    """A training step on one batch in memory, which is copied to the device each time.

    Args:
        settings: Settings of loss, optimizer and batch.
        subject: Subject whose weights change.

    Raises:
        InputError: Loss or optimizer refuse their settings.
    """

    def __init__(self, settings: TrainingSettings, subject: Subject) -> None:
        self.subject = subject
        image, self.mask = random_batch(settings.batch_size, settings.image_size)
        self.image = subject.laid_out(image)
        loss = build("loss", OmegaConf.create(dict(settings.loss)))
        optimizer = build("optimizer", OmegaConf.create(dict(settings.optimizer)))
        dtype = PRECISIONS[subject.settings.precision]
        self._step = PlainStep(subject.segmenter, loss, optimizer, dtype=dtype)

    def __call__(self) -> None:
        """Takes a step."""
        self.subject.segmenter.train()
        self._step(*(one.to(self.subject.device, non_blocking=True) for one in (self.image, self.mask)))

    def end(self) -> None:
        """Frees the gradients and returns the subject to evaluation mode."""
        self.subject.segmenter.eval().zero_grad(set_to_none=True)


def training_settings(cfg: DictConfig, subject: Subject) -> TrainingSettings:
    """Returns the training settings of a benchmark's configuration."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    return TrainingSettings(subject.settings, plain["loss"], plain["optimizer"], cfg.batch_size, cfg.image_size)


@contextmanager
def training_works(cfg: DictConfig, subjects: Sequence[Subject]) -> Iterator[list[Work | Speed]]:
    """Prepares a training step of each subject; frees gradients and optimizers at the end of the block."""
    steps = [TrainingStep(training_settings(cfg, subject), subject) for subject in subjects]
    yield [_work(step, cfg.batch_size) for step in steps]
    for step in steps:
        step.end()


def peak_memory(settings: TrainingSettings) -> int:
    """Measures `training_peak` in a process of its own.

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
    """Measures the largest memory of training: weights, gradients, optimizer and activations.

    On a GPU, this is the most that PyTorch has allocated. On a CPU, it is the growth of the process's resident memory
    from when the libraries are loaded and warm to its peak.

    Returns:
        Bytes.

    Raises:
        NotMeasurableError: The system does not tell; on a CPU, only Linux does.
    """
    limit_threads()
    if settings.subject.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(settings.subject.device)
        _take_steps(settings)
        return torch.cuda.max_memory_allocated(settings.subject.device)
    if not sys.platform.startswith("linux"):
        raise NotMeasurableError("only Linux tells a process's peak memory from a point in time on")
    _warm_up()
    before = _forget_peak()
    _take_steps(settings)
    return _resident_bytes("VmHWM") - before


def _work(step: TrainingStep, batch_size: int) -> Work:
    subject = step.subject
    row = Row("training", "step", subject.name, f"{subject.settings.words}, batch {batch_size}")
    return Work(row, batch_size, step, finish=subject.wait)


def _take_steps(settings: TrainingSettings) -> None:
    step = TrainingStep(settings, build_subject(settings.subject))
    for _ in range(STEPS):
        step()
    step.subject.wait()


def _warm_up() -> None:
    """Loads what the first step of any training loads, about 100 MB."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(2, 3, 16, 16)).mean().backward()
    optimizer.step()


def _forget_peak() -> int:
    """Resets the peak and returns the bytes that are resident now."""
    gc.collect()
    CLEAR.write_text(FORGET_PEAK)
    return _resident_bytes("VmRSS")


def _resident_bytes(name: str) -> int:
    """Reads a line such as `VmHWM:  123 kB` of the process's status."""
    lines = STATUS.read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
