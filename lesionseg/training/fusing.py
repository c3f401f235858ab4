"""Fused optimizers where they work, and what takes their place where they do not."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.optim import Optimizer

log = logging.getLogger(__name__)

OptimizerFactory = Callable[..., Optimizer]
SCALED = "fp16 gradients are scaled until its step, so they cannot be clipped before"


def build_optimizer(
    factory: OptimizerFactory, groups: Sequence[Mapping[str, Any]], *, clips_scaled_gradients: bool
) -> Optimizer:
    """Builds an optimizer, and once more without `fused=true` where that cannot work.

    It then becomes PyTorch's own choice: `foreach` where the device has it, else one weight after the other. The
    steps are the same up to rounding. One line says so.

    Args:
        factory: Takes parameter groups and, if it is ever fused, `fused`.
        groups: At least one, on the device they are trained on.
        clips_scaled_gradients: See the function of this name.
    """
    optimizer = factory([dict(group) for group in groups])  # optimizers write their settings into the groups
    if not optimizer.defaults.get("fused"):
        return optimizer
    reason = SCALED if clips_scaled_gradients else _refusal(factory, groups[0]["params"][0])
    if reason is None:
        return optimizer
    log.info("optimizer.fused=true does not work here (%s): foreach is used, where there is that.", reason)
    return factory([dict(group) for group in groups], fused=None)


def clips_scaled_gradients(trainer: Trainer) -> bool:
    """Tells whether gradients are scaled, as for fp16, and clipped, which Lightning refuses for fused optimizers."""
    return getattr(trainer.precision_plugin, "scaler", None) is not None and bool(trainer.gradient_clip_val)


def _refusal(factory: OptimizerFactory, like: torch.Tensor) -> str | None:
    """Tries a step on one number of the same device and type; that is when optimizers look at them."""
    weight = nn.Parameter(torch.zeros_like(like.flatten()[:1]))
    weight.grad = torch.zeros_like(weight)
    try:
        factory([{"params": [weight]}]).step()
    except (RuntimeError, NotImplementedError) as error:
        return str(error).splitlines()[0]
    return None
