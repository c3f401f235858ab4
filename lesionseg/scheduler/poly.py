"""Polynomial decay, as in DeepLab and nnU-Net."""

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lesionseg.scheduler.length import TrainingLength
from lesionseg.scheduler.warmup import share_after_warmup, warmup_factor, warmup_steps_of


def poly(
    optimizer: Optimizer, length: TrainingLength, *, warmup_epochs: float, power: float
) -> list[LRSchedulerConfigType]:
    """Warms up in a line, then falls as (1 - share done) ** power (Chen et al., DeepLab, 2018; nnU-Net: power 0.9)."""
    warmup_steps = warmup_steps_of(length, warmup_epochs)

    def factor(step: int) -> float:
        done = share_after_warmup(step, warmup_steps, length.total_steps)
        return warmup_factor(step, warmup_steps) * float((1 - done) ** power)

    return [{"scheduler": LambdaLR(optimizer, factor), "interval": "step", "name": "learning_rate"}]
