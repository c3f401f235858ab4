"""Half a cosine down to (nearly) nothing."""

import math

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lesionseg.config.build import TrainingLength
from lesionseg.training.warmup import share_after_warmup, warmup_factor, warmup_steps_of


def cosine(
    optimizer: Optimizer, length: TrainingLength, *, warmup_epochs: float, final_factor: float
) -> list[LRSchedulerConfigType]:
    """Warms up in a line, then falls along half a cosine (Loshchilov & Hutter, SGDR, 2017, eq. 5, without restarts).

    Args:
        optimizer: Its learning rate is the highest reached.
        length: Length of the training.
        warmup_epochs: 0 for none.
        final_factor: The last learning rate as a share of the highest.
    """
    warmup_steps = warmup_steps_of(length, warmup_epochs)

    def factor(step: int) -> float:
        done = share_after_warmup(step, warmup_steps, length.total_steps)
        falling = final_factor + (1 - final_factor) * (1 + math.cos(math.pi * done)) / 2
        return warmup_factor(step, warmup_steps) * falling

    return [{"scheduler": LambdaLR(optimizer, factor), "interval": "step", "name": "learning_rate"}]
