"""A constant learning rate."""

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lesionseg.config.build import TrainingLength
from lesionseg.training.warmup import warmup_factor


def none(optimizer: Optimizer, length: TrainingLength, *, warmup_epochs: float) -> list[LRSchedulerConfigType]:
    """Keeps the optimizer's learning rate after a linear warm-up of `warmup_epochs` (0 for none)."""
    warmup_steps = length.steps(warmup_epochs)
    schedule = LambdaLR(optimizer, lambda step: warmup_factor(step, warmup_steps))
    return [{"scheduler": schedule, "interval": "step", "name": "learning_rate"}]
