"""Which weights decay."""

from typing import Any

from torch import nn


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
