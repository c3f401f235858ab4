"""What every optimizer must do, whoever wrote it: add `conf/optimizer/mine.yaml` and it is tested here."""

import copy
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import nn
from torch.optim import Optimizer

from lesionseg.config.schema import CONF
from lesionseg.training.optimizer import parameter_groups

NAMES = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))


@pytest.fixture(params=NAMES)
def factory(request: pytest.FixtureRequest, compose: Any) -> Any:
    return instantiate(compose([f"optimizer={request.param}"]).optimizer)


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))


def step(network: nn.Module, optimizer: Optimizer) -> float:
    image = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    loss = (network(image) - image.mean(1, keepdim=True).sign()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_it_makes_an_optimizer_of_parameter_groups(factory: Any, network: nn.Module) -> None:
    optimizer = factory(parameter_groups(network))
    assert isinstance(optimizer, Optimizer)
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in held} == {id(parameter) for parameter in network.parameters()}


def test_a_few_steps_lower_the_loss(factory: Any, network: nn.Module) -> None:
    optimizer = factory(parameter_groups(network))
    losses = [step(network, optimizer) for _ in range(10)]
    assert losses[-1] < losses[0]


def test_biases_and_normalisation_do_not_decay(factory: Any, network: nn.Module) -> None:
    """With gradients of nothing, only decay can move a weight."""
    optimizer = factory(parameter_groups(network))
    before = copy.deepcopy(list(network.parameters()))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for old, new in zip(before, network.parameters(), strict=True):
        if new.ndim <= 1:
            assert torch.equal(old, new)
        elif optimizer.defaults["weight_decay"] > 0:
            assert new.norm() < old.norm()


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_can_be_changed_from_the_command_line(compose: Any, name: str, network: nn.Module) -> None:
    optimizer = instantiate(compose([f"optimizer={name}", "optimizer.lr=0.125"]).optimizer)(parameter_groups(network))
    assert all(group["lr"] == 0.125 for group in optimizer.param_groups)


def test_a_resumed_optimizer_takes_the_same_steps(factory: Any, network: nn.Module) -> None:
    first = factory(parameter_groups(network))
    for _ in range(3):
        step(network, first)
    twin = copy.deepcopy(network)
    second = factory(parameter_groups(twin))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(3):
        assert step(network, first) == step(twin, second)
    assert all(map(torch.equal, network.parameters(), twin.parameters()))
