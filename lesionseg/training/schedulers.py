"""Learning rate schedules, most of which warm up first.

The first steps are small because fresh normalisation statistics and Adam's moments are noisy. Each function takes the
optimizer, whose learning rate is the highest that is reached, and the length of the training; `warmup_epochs` may be 0.
"""

import logging
import math
from collections.abc import Callable
from typing import Any, Literal

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from lesionseg.config.build import TrainingLength

log = logging.getLogger(__name__)


def none(optimizer: Optimizer, length: TrainingLength, *, warmup_epochs: float) -> list[LRSchedulerConfigType]:
    """Keeps the learning rate after a linear warm-up."""
    warmup_steps = length.steps(warmup_epochs)
    return _every_step(LambdaLR(optimizer, lambda step: warmup_factor(step, warmup_steps)))


def cosine(
    optimizer: Optimizer, length: TrainingLength, *, warmup_epochs: float, final_factor: float
) -> list[LRSchedulerConfigType]:
    """Warms up linearly, then falls along half a cosine (Loshchilov & Hutter, SGDR, 2017, eq. 5, without restarts).

    `final_factor` is the last learning rate as a share of the highest.
    """

    def factor(done: float) -> float:
        return final_factor + (1 - final_factor) * (1 + math.cos(math.pi * done)) / 2

    return _warmed_up(optimizer, length, warmup_epochs, factor)


def poly(
    optimizer: Optimizer, length: TrainingLength, *, warmup_epochs: float, power: float
) -> list[LRSchedulerConfigType]:
    """Warms up linearly, then falls as (1 - share done) ** power (Chen et al., DeepLab, 2018; nnU-Net: power 0.9)."""
    return _warmed_up(optimizer, length, warmup_epochs, lambda done: float((1 - done) ** power))


def onecycle(
    optimizer: Optimizer,
    length: TrainingLength,
    *,
    warmup_share: float,
    first_factor: float,
    final_factor: float,
) -> list[LRSchedulerConfigType]:
    """Rises and falls along cosines once (Smith & Topin, Super-Convergence, 2018).

    The optimizer's momentum (Adam's first beta) moves the other way between 0.95 and 0.85, as in the paper.

    Args:
        optimizer: Its learning rate is the highest reached.
        length: Length of the training.
        warmup_share: Share of the training that rises, between 0 and 1.
        first_factor: First learning rate as a share of the highest.
        final_factor: Last learning rate as a share of the highest.

    Raises:
        ValueError: `final_factor` is not above 0.
    """
    if final_factor <= 0:  # torch divides by it
        raise ValueError(f"final_factor is {final_factor}; allowed: above 0")
    # torch divides by the length of the rise less one step, which a training of a few steps can make 0.
    one_step = warmup_share * length.total_steps == 1
    schedule = _OneCycle(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=length.total_steps,
        pct_start=warmup_share * (1.001 if one_step else 1),
        div_factor=1 / first_factor,
        final_div_factor=first_factor / final_factor,
    )
    return _every_step(schedule)


class _OneCycle(OneCycleLR):
    """Lets a resumed training be longer or shorter, as the other schedules do.

    torch takes the length from the state and raises at the first step beyond it.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores how far the training has got, and keeps this schedule's own length."""
        own = {"total_steps": self.total_steps, "_schedule_phases": self._schedule_phases}
        super().load_state_dict({**state_dict, **own})

    def get_lr(self) -> list[float | Tensor]:
        """Returns the rates of the step, and those of the last one for all steps after it."""
        reached, self.last_epoch = self.last_epoch, min(self.last_epoch, self.total_steps - 1)
        try:
            return super().get_lr()
        finally:
            self.last_epoch = reached


def plateau(
    optimizer: Optimizer,
    length: TrainingLength,
    *,
    monitor: str,
    mode: Literal["min", "max"],
    factor: float,
    patience: int,
    warmup_epochs: float,
) -> list[LRSchedulerConfigType]:
    """Multiplies the learning rate by `factor` after more than `patience` epochs without improvement of `monitor`."""
    lowering = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience)
    schedules: list[LRSchedulerConfigType] = [
        {"scheduler": lowering, "interval": "epoch", "monitor": monitor, "name": "learning_rate"}
    ]
    if warmup_steps := warmup_steps_of(length, warmup_epochs):
        warmup = LinearLR(optimizer, start_factor=1 / (warmup_steps + 1), total_iters=warmup_steps)
        schedules.append({"scheduler": warmup, "interval": "step", "name": "learning_rate_warmup"})
    return schedules


def warmup_steps_of(length: TrainingLength, epochs: float) -> int:
    """Converts a warm-up's epochs to optimizer steps, and warns if it does not end before the training does."""
    steps = length.steps(epochs)
    if steps >= length.total_steps:
        log.warning(
            "The warm-up (scheduler.warmup_epochs=%g) takes %d steps and the training %d: the learning rate never "
            "reaches optimizer.lr. Give fewer warm-up epochs, or train longer.",
            epochs,
            steps,
            length.total_steps,
        )
    return steps


def warmup_factor(step: int, warmup_steps: int) -> float:
    """Returns the learning rate's factor at a step counted from 0, which rises linearly to 1 at `warmup_steps`."""
    return min((step + 1) / (warmup_steps + 1), 1.0)


def share_after_warmup(step: int, warmup_steps: int, total_steps: int) -> float:
    """Returns how much of the training after the warm-up is done, 0 to 1."""
    return min(max(step - warmup_steps, 0) / max(total_steps - warmup_steps, 1), 1.0)


def _warmed_up(
    optimizer: Optimizer, length: TrainingLength, warmup_epochs: float, factor: Callable[[float], float]
) -> list[LRSchedulerConfigType]:
    """Multiplies the warm-up by a factor of the share of the training that is done after it."""
    warmup_steps = warmup_steps_of(length, warmup_epochs)

    def warmed_up(step: int) -> float:
        return warmup_factor(step, warmup_steps) * factor(share_after_warmup(step, warmup_steps, length.total_steps))

    return _every_step(LambdaLR(optimizer, warmed_up))


def _every_step(schedule: LRScheduler) -> list[LRSchedulerConfigType]:
    return [{"scheduler": schedule, "interval": "step", "name": "learning_rate"}]
