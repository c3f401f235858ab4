"""What a network costs whatever the machine: weights and arithmetic."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameter_count(module: nn.Module) -> int:
    """Counts a module's trainable and fixed weights; buffers, such as batch statistics, are none."""
    return sum(parameter.numel() for parameter in module.parameters())


def flops_of(module: nn.Module, image: torch.Tensor) -> int:
    """Counts the floating-point operations of a forward pass: 2 for each multiplication with its addition.

    Convolutions, matrix products and attention count; normalisation, activations, pooling and up-sampling, a few
    percent of a U-Net's, do not (`torch.utils.flop_counter`). What papers give as MACs is half of this.

    Args:
        module: In evaluation mode.
        image: Its input; the count is for all images of the batch.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(image)
    return int(counter.get_total_flops())
