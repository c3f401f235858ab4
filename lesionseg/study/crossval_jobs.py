"""How many trainings run at a time, and what each of them may use of the machine."""

import os
from typing import Any

import torch
from omegaconf import DictConfig

from lesionseg.system.machine import usable_cores

GPUS, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"

Place = dict[str, str]
"""Environment variables of a training's process."""


def places_for(training: DictConfig, *, jobs: int | None, most: int) -> list[Place]:
    """Shares the machine out: a GPU to each training where there are some, else so many cores.

    Args:
        training: The composed configuration of one; one that takes several devices, or the CPU, gets no GPU of its own.
        jobs: Trainings at a time; None for one on each GPU, and one on a CPU.
        most: No more places than trainings.
    """
    gpus = _gpus(training)
    count = min(jobs or max(1, len(gpus)), most)
    places: list[Place] = [{} for _ in range(count)]
    for number, place in enumerate(places):
        if gpus:
            place[GPUS] = gpus[number % len(gpus)]
        if count > 1:
            place[THREADS] = str(_threads(count))
    return places


def _gpus(training: DictConfig) -> list[str]:
    """Names the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` does."""
    trainer: Any = training.trainer
    if trainer.accelerator == "cpu" or str(trainer.devices) not in ("1", "auto"):
        return []
    found = torch.cuda.device_count()
    visible = [name.strip() for name in os.environ.get(GPUS, "").split(",") if name.strip()]
    return visible[:found] if visible else [str(number) for number in range(found)]


def _threads(count: int) -> int:
    """Shares the cores out; fewer, as set by the user, stay fewer."""
    share = max(1, usable_cores() // count)
    given = os.environ.get(THREADS, "")
    return min(share, int(given)) if given.isdigit() and int(given) > 0 else share
