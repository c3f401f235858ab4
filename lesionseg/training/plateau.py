"""Lower the learning rate when the validation gets no better."""

from typing import Literal

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, ReduceLROnPlateau

from lesionseg.config.build import TrainingLength
from lesionseg.training.warmup import warmup_steps_of


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
    """Multiplies the learning rate by `factor` once more than `patience` epochs passed without improvement.

    Args:
        optimizer: Its learning rate is the first and highest one.
        length: Length of the training.
        monitor: A logged value, for example `val/dice`.
        mode: Whether `monitor` is better when it is larger (`max`) or smaller (`min`).
        factor: Between 0 and 1.
        patience: Epochs.
        warmup_epochs: The first steps rise in a line for so many epochs; 0 for none.
    """
    lowering = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience)
    schedules: list[LRSchedulerConfigType] = [
        {"scheduler": lowering, "interval": "epoch", "monitor": monitor, "name": "learning_rate"}
    ]
    if warmup_steps := warmup_steps_of(length, warmup_epochs):
        warmup = LinearLR(optimizer, start_factor=1 / (warmup_steps + 1), total_iters=warmup_steps)
        schedules.append({"scheduler": warmup, "interval": "step", "name": "learning_rate_warmup"})
    return schedules
