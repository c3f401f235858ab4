"""The optimizer's parameter groups, its fused form where that works, and a training step without Lightning."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from lesionseg.model.segmenter import Segmenter

log = logging.getLogger(__name__)

OptimizerFactory = Callable[..., Optimizer]
"""Makes an optimizer of parameter groups and, if it can be fused, of `fused`."""
SCALED = "fp16 gradients are scaled until its step, so they cannot be clipped before"


def parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Groups parameters for an optimizer: only convolution kernels decay.

    Pulling biases and normalisation scales to zero changes what a layer computes without regularising it (Loshchilov &
    Hutter leave it open; ConvNeXt and nnU-Net's successors exempt them).
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decaying = [parameter for parameter in parameters if parameter.ndim > 1]
    constant = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decaying}, {"params": constant, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def build_optimizer(
    factory: OptimizerFactory, groups: Sequence[Mapping[str, Any]], *, clips_scaled_gradients: bool
) -> Optimizer:
    """Builds an optimizer, without `fused=true` where that cannot work, which one line says.

    It then becomes PyTorch's own choice: `foreach` where the device has it, else one weight after the other. The
    steps are the same up to rounding.

    Args:
        factory: Factory of the optimizer.
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


class PlainStep:
    """Takes training steps without Lightning and its callbacks, for trials and measurements on random images.

    Args:
        segmenter: Segmenter in training mode on its device.
        loss: Function of logits and mask.
        optimizer: Makes the optimizer from parameter groups.
        dtype: Number format of the forward pass; None for float32. With float16, the loss is scaled.
    """

    def __init__(
        self, segmenter: Segmenter, loss: nn.Module, optimizer: OptimizerFactory, *, dtype: torch.dtype | None
    ) -> None:
        self._segmenter, self._loss, self._dtype = segmenter, loss, dtype
        self._optimizer = optimizer(parameter_groups(segmenter))
        self._scaler = torch.amp.GradScaler(segmenter.mean.device.type, enabled=dtype == torch.float16)

    def __call__(self, image: Tensor, mask: Tensor) -> None:
        """Takes a step on (B, 3, H, W) uint8 and (B, 1, H, W) uint8 on the segmenter's device."""
        with torch.autocast(image.device.type, self._dtype, enabled=self._dtype is not None):
            loss = self._loss(self._segmenter(image), mask)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()


def random_batch(count: int, size: int, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Draws images (count, 3, size, size) uint8, channels last, and masks (count, 1, size, size) of 0 and 1.

    A network takes as long for them as for photographs, and cannot learn the masks by heart, so that gradients stay of
    the size that they have in training.
    """
    image = torch.randint(256, (count, size, size, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    return image, torch.randint(2, (count, 1, size, size), dtype=torch.uint8, device=device)


def _refusal(factory: OptimizerFactory, like: Tensor) -> str | None:
    """Tries a step on one number of the same device and type; only then do optimizers look at them."""
    weight = nn.Parameter(torch.zeros_like(like.flatten()[:1]))
    weight.grad = torch.zeros_like(weight)
    try:
        factory([{"params": [weight]}]).step()
    except (RuntimeError, NotImplementedError) as error:
        return str(error).splitlines()[0]
    return None
