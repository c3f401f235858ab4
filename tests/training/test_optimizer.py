"""A fused optimizer is used where it works; elsewhere another takes its place and a line says so."""

import copy
import logging
from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from lesionseg.training.optimizer import build_optimizer, clips_scaled_gradients, parameter_groups

FUSED = [
    partial(Adam, lr=0.1, fused=True),
    partial(AdamW, lr=0.1, fused=True),
    partial(SGD, lr=0.1, momentum=0.9, nesterov=True, fused=True),
]


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 1))


def step(network: nn.Module, optimizer: Optimizer) -> None:
    optimizer.zero_grad()
    network(torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("factory", FUSED, ids=lambda factory: factory.func.__name__)
def test_fused_stays_fused_on_the_cpu(
    network: nn.Module, factory: partial[Optimizer], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        optimizer = build_optimizer(factory, parameter_groups(network), clips_scaled_gradients=False)
    assert all(group["fused"] for group in optimizer.param_groups)
    assert caplog.messages == []


@pytest.mark.parametrize("factory", FUSED, ids=lambda factory: factory.func.__name__)
def test_a_device_that_refuses_fused_gets_another_with_its_reason(
    factory: partial[Optimizer], caplog: pytest.LogCaptureFixture
) -> None:
    on_meta = nn.Conv2d(3, 4, 3, device="meta")  # a device that fused kernels are not made for
    with caplog.at_level(logging.INFO):
        optimizer = build_optimizer(factory, parameter_groups(on_meta), clips_scaled_gradients=False)
    assert not any(group["fused"] for group in optimizer.param_groups)
    (message,) = caplog.messages
    assert message.startswith("optimizer.fused=true does not work here (`fused=True` requires")
    assert "meta" in message


def test_clipped_fp16_gradients_get_an_optimizer_that_lightning_can_clip_for(
    network: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = MixedPrecision("16-mixed", "cpu")
    groups = parameter_groups(network)
    with pytest.raises(RuntimeError, match="fused"):
        plugin.clip_gradients(FUSED[0](copy.deepcopy(groups)), 1.0)
    with caplog.at_level(logging.INFO):
        optimizer = build_optimizer(FUSED[0], groups, clips_scaled_gradients=True)
    plugin.clip_gradients(optimizer, 1.0)
    assert "scaled" in caplog.text


@pytest.mark.parametrize("factory", FUSED, ids=lambda factory: factory.func.__name__)
def test_what_takes_its_place_takes_the_same_steps_with_the_same_settings(
    network: nn.Module, factory: partial[Optimizer]
) -> None:
    twin = copy.deepcopy(network)
    fused = build_optimizer(factory, parameter_groups(network), clips_scaled_gradients=False)
    other = build_optimizer(factory, parameter_groups(twin), clips_scaled_gradients=True)
    for _ in range(3):
        step(network, fused)
        step(twin, other)
    torch.testing.assert_close(dict(twin.named_parameters()), dict(network.named_parameters()))
    without = [
        {key: value for key, value in group.items() if key not in ("params", "fused")} for group in fused.param_groups
    ]
    assert without == [
        {key: value for key, value in group.items() if key not in ("params", "fused")} for group in other.param_groups
    ]


def test_an_optimizer_that_is_not_fused_is_left_alone(network: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert isinstance(build_optimizer(RMSprop, parameter_groups(network), clips_scaled_gradients=True), RMSprop)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("precision", "clip", "told"), [("16-mixed", 1.0, True), ("16-mixed", None, False), ("bf16-mixed", 1.0, False)]
)
def test_only_fp16_with_clipping_is_in_the_way(precision: str, clip: float | None, told: bool) -> None:
    plugin = MixedPrecision(precision, "cpu")  # type: ignore[arg-type]
    trainer = Trainer(
        accelerator="cpu", plugins=[plugin], gradient_clip_val=clip, logger=False, enable_checkpointing=False
    )
    assert clips_scaled_gradients(trainer) is told


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
