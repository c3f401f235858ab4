"""A training step without Lightning and its callbacks, for trials and measurements on random images."""

import torch
from torch import Tensor, nn

from lesionseg.model.segmenter import Segmenter
from lesionseg.training.module import OptimizerFactory
from lesionseg.training.parameter_groups import parameter_groups


class PlainStep:
    """Forward pass, loss, backward pass and optimizer step.

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
