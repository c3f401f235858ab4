"""One cycle: up to the highest learning rate and down again."""

from typing import Any

from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from lesionseg.config.build import TrainingLength


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
        first_factor: The first learning rate as a share of the highest.
        final_factor: The last learning rate as a share of the highest.
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
    return [{"scheduler": schedule, "interval": "step", "name": "learning_rate"}]


class _OneCycle(OneCycleLR):
    """torch's, for a training that may be made longer or shorter when it is resumed, as the other schedules are.

    torch takes the length from the stored state and raises at the first step beyond it.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes how far the training has got; how long it is, is this one's own."""
        own = {"total_steps": self.total_steps, "_schedule_phases": self._schedule_phases}
        super().load_state_dict({**state_dict, **own})

    def get_lr(self) -> list[float | Tensor]:
        """Returns the rates of the step, and of the last one at all that follow."""
        reached, self.last_epoch = self.last_epoch, min(self.last_epoch, self.total_steps - 1)
        try:
            return super().get_lr()
        finally:
            self.last_epoch = reached
