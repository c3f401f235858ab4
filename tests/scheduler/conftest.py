"""Stepping through a schedule as Lightning does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from lesionseg.scheduler.length import TrainingLength

Rates = Callable[..., list[float]]


@pytest.fixture
def optimizer() -> Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)


@pytest.fixture
def rates(optimizer: Optimizer) -> Rates:
    """Gives the learning rate of each optimizer step of a training, as shares of the optimizer's own (2.0)."""

    def of(
        schedule: Callable[..., Any], *, total_steps: int = 20, steps_per_epoch: int = 4, **options: Any
    ) -> list[float]:
        settings = schedule(optimizer, TrainingLength(total_steps, steps_per_epoch), **options)
        found = []
        for _ in range(total_steps):
            found.append(optimizer.param_groups[0]["lr"] / 2)
            optimizer.step()
            for setting in settings:
                if setting["interval"] == "step":
                    setting["scheduler"].step()
        return found

    return of
