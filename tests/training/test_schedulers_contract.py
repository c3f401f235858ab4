"""What every schedule must do, whoever wrote it: add `conf/scheduler/mine.yaml` and it is tested here."""

import copy
from typing import Any

import pytest
from hydra.utils import instantiate
from torch.optim import Optimizer

from lesionseg.config.build import TrainingLength
from lesionseg.config.schema import CONF

NAMES = sorted(path.stem for path in (CONF / "scheduler").glob("*.yaml"))
LENGTHS = [(1, 1), (2, 1), (4, 4), (7, 1), (8, 8), (60, 20)]
"""(steps in all, steps an epoch): few and many, one epoch and one step an epoch."""


@pytest.fixture(params=NAMES)
def schedule(request: pytest.FixtureRequest, compose: Any) -> Any:
    return instantiate(compose([f"scheduler={request.param}"]).scheduler)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_rate_is_above_nothing_and_never_above_the_optimizers(
    schedule: Any, rates: Any, length: tuple[int, int]
) -> None:
    found = rates(schedule, total_steps=length[0], steps_per_epoch=length[1])
    assert min(found) > 0
    assert max(found) <= 1 + 1e-9


@pytest.mark.parametrize("length", [(100, 20), (40, 8)])
def test_the_optimizers_rate_is_reached(schedule: Any, rates: Any, length: tuple[int, int]) -> None:
    assert max(rates(schedule, total_steps=length[0], steps_per_epoch=length[1])) == pytest.approx(1, abs=0.01)


def test_lightning_is_told_what_to_do(schedule: Any, optimizer: Optimizer) -> None:
    settings = schedule(optimizer, TrainingLength(60, 20))
    names = [setting["name"] for setting in settings]
    assert names[0] == "learning_rate"
    assert len(set(names)) == len(names)
    for setting in settings:
        assert setting["interval"] in ("step", "epoch")
        assert setting["scheduler"].optimizer is optimizer


def run(settings: Any, steps: int) -> list[float]:
    """Steps through a schedule as Lightning does; returns the rate after each step."""
    (optimizer,) = {setting["scheduler"].optimizer for setting in settings}
    found = []
    for _ in range(steps):
        optimizer.step()
        for setting in settings:
            if setting["interval"] == "step":
                setting["scheduler"].step()
        found.append(optimizer.param_groups[0]["lr"])
    return found


def resumed(schedule: Any, optimizer: Optimizer, settings: Any, total_steps: int) -> Any:
    """Lightning restores the optimizer and each schedule by their state dicts."""
    states = copy.deepcopy(([setting["scheduler"].state_dict() for setting in settings], optimizer.state_dict()))
    restart(optimizer)
    again = schedule(optimizer, TrainingLength(total_steps, 10))
    optimizer.load_state_dict(states[1])
    for setting, state in zip(again, states[0], strict=True):
        setting["scheduler"].load_state_dict(state)
    return again


def restart(optimizer: Optimizer) -> None:
    optimizer.param_groups[0]["lr"] = 2.0
    optimizer.param_groups[0].pop("initial_lr", None)


@pytest.mark.parametrize("total_steps", [40, 80, 20])
def test_a_resumed_schedule_goes_on_as_one_of_that_length(
    schedule: Any, optimizer: Optimizer, total_steps: int
) -> None:
    expected = run(schedule(optimizer, TrainingLength(total_steps, 10)), total_steps - 1)[15:]
    restart(optimizer)
    first = schedule(optimizer, TrainingLength(40, 10))
    run(first, 15)
    second = resumed(schedule, optimizer, first, total_steps)
    assert run(second, total_steps - 16) == pytest.approx(expected)


def test_a_training_made_shorter_than_it_is_goes_on(schedule: Any, optimizer: Optimizer) -> None:
    first = schedule(optimizer, TrainingLength(40, 10))
    run(first, 15)
    assert max(run(resumed(schedule, optimizer, first, 10), 5)) <= 2 + 1e-9


def test_steps_beyond_the_last_keep_its_rate(schedule: Any, optimizer: Optimizer) -> None:
    """How many steps there will be is an estimate of Lightning's."""
    settings = schedule(optimizer, TrainingLength(60, 10))
    run(settings, 60)
    assert len(set(run(settings, 5))) == 1
