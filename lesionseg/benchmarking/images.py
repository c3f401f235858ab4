"""Images and masks of noise: a network takes as long for them as for photographs."""

import torch
from torch import Tensor


def random_images(count: int, size: int) -> Tensor:
    """Draws (count, 3, size, size) uint8 0..255, channels last as the loader's batches are."""
    return torch.randint(256, (count, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


def random_masks(count: int, size: int) -> Tensor:
    """Draws (count, 1, size, size) uint8 in {0, 1}."""
    return torch.randint(2, (count, 1, size, size), dtype=torch.uint8)
