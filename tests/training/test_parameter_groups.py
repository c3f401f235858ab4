"""Which weights decay: convolution kernels, and nothing else."""

import pytest
import torch
from torch import nn

from lesionseg.training.parameter_groups import parameter_groups


def test_only_kernels_decay() -> None:
    convolution, normalisation, up = nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ConvTranspose2d(4, 4, 2)
    decaying, constant = parameter_groups(nn.Sequential(convolution, normalisation, up))
    assert [id(parameter) for parameter in decaying["params"]] == [id(convolution.weight), id(up.weight)]
    assert "weight_decay" not in decaying  # the optimizer's own
    assert constant["weight_decay"] == 0
    assert [id(parameter) for parameter in constant["params"]] == [
        id(convolution.bias),
        id(normalisation.weight),
        id(normalisation.bias),
        id(up.bias),
    ]


def test_frozen_weights_are_left_out() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 1, 1))
    network[0].requires_grad_(False)
    held = [id(parameter) for group in parameter_groups(network) for parameter in group["params"]]
    assert held == [id(network[1].weight), id(network[1].bias)]


@pytest.mark.parametrize(("layer", "decays"), [(nn.Conv2d(1, 1, 1, bias=False), True), (nn.BatchNorm2d(3), False)])
def test_a_group_without_weights_is_left_out(layer: nn.Module, decays: bool) -> None:
    (group,) = parameter_groups(layer)
    assert ("weight_decay" not in group) == decays


def test_decay_shrinks_a_kernel_by_its_share_and_leaves_its_bias() -> None:
    """AdamW with a gradient of nothing multiplies by 1 - rate * decay = 1 - 0.1 * 0.5."""
    layer = nn.Conv2d(1, 1, 1)
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 3.0)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(parameter_groups(layer), lr=0.1, weight_decay=0.5)
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert layer.weight.item() == pytest.approx(1.9)
    assert layer.bias is not None
    assert layer.bias.item() == 3.0
