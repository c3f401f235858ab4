"""Half a cosine from 1 to the final factor: final + (1 - final) (1 + cos(pi t)) / 2."""

import math
from typing import Any

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from lesionseg.config.build import TrainingLength
from lesionseg.training.schedulers import (
    cosine,
    none,
    onecycle,
    plateau,
    poly,
    share_after_warmup,
    warmup_factor,
    warmup_steps_of,
)


def test_it_starts_at_the_top_and_is_in_the_middle_half_way(rates: Any) -> None:
    found = rates(cosine, warmup_epochs=0, final_factor=0.1)
    assert found[0] == 1
    assert found[10] == pytest.approx(0.55)  # (1 + 0.1) / 2


@pytest.mark.parametrize("final_factor", [0.0, 0.1, 1.0])
def test_every_step_is_on_the_curve(rates: Any, final_factor: float) -> None:
    expected = [final_factor + (1 - final_factor) * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)]
    assert rates(cosine, warmup_epochs=0, final_factor=final_factor) == pytest.approx(expected)


def test_the_warm_up_comes_first_and_the_curve_over_what_is_left(rates: Any) -> None:
    found = rates(cosine, warmup_epochs=1, final_factor=0.0)
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[12] == pytest.approx(0.5)  # half way between step 4 and step 20


def test_it_changes_with_every_optimizer_step(optimizer: Any) -> None:
    (setting,) = cosine(optimizer, TrainingLength(20, 4), warmup_epochs=1, final_factor=0.0)
    assert setting["interval"] == "step"


@pytest.mark.parametrize(
    ("warmup_epochs", "first"), [(0, [1, 1, 1, 1]), (0.5, [1 / 3, 2 / 3, 1, 1]), (0.75, [0.25, 0.5, 0.75, 1])]
)
def test_the_rate_is_constant_after_the_warm_up(rates: Any, warmup_epochs: float, first: list[float]) -> None:
    found = rates(none, warmup_epochs=warmup_epochs)
    assert found[:4] == pytest.approx(first)
    assert found[4:] == [1] * 16


ONECYCLE = {"warmup_share": 0.25, "first_factor": 0.04, "final_factor": 0.0004}


def between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def test_it_rises_to_the_top_and_falls_to_the_final_factor_along_cosines(rates: Any) -> None:
    """The top is at step 0.25 * 20 - 1 = 4, the end at step 19."""
    up = [between(0.04, 1, step / 4) for step in range(5)]
    down = [between(1, 0.0004, (step - 4) / 15) for step in range(5, 20)]
    assert rates(onecycle, **ONECYCLE) == pytest.approx(up + down)


def test_it_is_torchs_own_with_the_shares_turned_into_divisors(rates: Any) -> None:
    other = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = OneCycleLR(other, 1.0, total_steps=20, pct_start=0.25, div_factor=25, final_div_factor=100)
    expected = []
    for _ in range(20):
        expected.append(other.param_groups[0]["lr"])
        other.step()
        schedule.step()
    assert rates(onecycle, **ONECYCLE) == pytest.approx(expected)


def test_a_rise_of_a_single_step_does_not_divide_by_zero(rates: Any) -> None:
    """A quarter of four steps."""
    expected = [0.04, *(between(1, 0.0004, step / 3) for step in (1, 2, 3))]
    assert rates(onecycle, total_steps=4, **ONECYCLE) == pytest.approx(expected, abs=1e-3)


def test_each_group_reaches_its_own_rate() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (1.0, 0.1)]
    optimizer = torch.optim.Adam(groups)
    (setting,) = onecycle(optimizer, TrainingLength(20, 4), **ONECYCLE)
    for _ in range(4):
        optimizer.step()
        setting["scheduler"].step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1.0, 0.1])


def test_adams_first_beta_goes_the_other_way() -> None:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    (setting,) = onecycle(optimizer, TrainingLength(20, 4), **ONECYCLE)
    betas = []
    for _ in range(20):
        betas.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        setting["scheduler"].step()
    assert (betas[0], betas[4], betas[19]) == pytest.approx((0.95, 0.85, 0.95))


PLATEAU: dict[str, Any] = {"monitor": "val/dice", "mode": "max", "factor": 0.5, "patience": 2, "warmup_epochs": 0}


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("max", [0.5, 0.6, 0.6, 0.6, 0.6], [1, 1, 1, 1, 0.5]),
        ("max", [0.5, 0.6, 0.7, 0.8, 0.9], [1, 1, 1, 1, 1]),
        ("max", [0.5, 0.4, 0.4, 0.6, 0.4], [1, 1, 1, 1, 1]),
        ("min", [0.5, 0.4, 0.3, 0.2, 0.1], [1, 1, 1, 1, 1]),
        ("min", [0.5, 0.6, 0.7, 0.8, 0.9], [1, 1, 1, 0.5, 0.5]),
        ("max", [0.5] * 7, [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
    ],
)
def test_the_rate_is_halved_once_the_patience_is_used_up(
    optimizer: Optimizer, mode: str, values: list[float], expected: list[float]
) -> None:
    (setting,) = plateau(optimizer, TrainingLength(20, 4), **(PLATEAU | {"mode": mode}))
    found = []
    for value in values:
        setting["scheduler"].step(value)  # type: ignore[call-arg]
        found.append(optimizer.param_groups[0]["lr"] / 2)
    assert found == pytest.approx(expected)


def test_it_looks_at_the_monitored_value_once_an_epoch(optimizer: Optimizer) -> None:
    (setting,) = plateau(optimizer, TrainingLength(20, 4), **PLATEAU)
    assert (setting["interval"], setting["monitor"]) == ("epoch", "val/dice")


def test_the_warm_up_rises_step_by_step(rates: Any) -> None:
    found = rates(plateau, **(PLATEAU | {"warmup_epochs": 1}))
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[5:] == pytest.approx([1.0] * 15)


def test_the_warm_up_does_not_undo_a_lowered_rate(optimizer: Optimizer) -> None:
    lowering, warmup = plateau(optimizer, TrainingLength(20, 4), **(PLATEAU | {"warmup_epochs": 1}))
    for epoch in range(5):
        for _ in range(4):
            optimizer.step()
            warmup["scheduler"].step()
        lowering["scheduler"].step(0.5)  # type: ignore[call-arg]
        assert optimizer.param_groups[0]["lr"] / 2 == pytest.approx(1 if epoch < 3 else 0.5)


@pytest.mark.parametrize("power", [0.5, 0.9, 1.0, 2.0])
def test_every_step_is_on_the_polynomial(rates: Any, power: float) -> None:
    found = rates(poly, warmup_epochs=0, power=power)
    assert found == pytest.approx([(1 - step / 20) ** power for step in range(20)])


def test_with_power_one_it_is_a_line_after_the_warm_up(rates: Any) -> None:
    found = rates(poly, total_steps=8, warmup_epochs=1, power=1)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 0.75, 0.5, 0.25])


def test_the_factor_rises_in_a_line_to_one_and_stays() -> None:
    assert [warmup_factor(step, 4) for step in range(7)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1])


def test_without_a_warm_up_the_factor_is_one_from_the_start() -> None:
    assert [warmup_factor(step, 0) for step in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("step", "warmup", "total", "share"),
    [
        (0, 0, 10, 0.0),
        (5, 0, 10, 0.5),
        (10, 0, 10, 1.0),
        (2, 4, 14, 0.0),
        (4, 4, 14, 0.0),
        (9, 4, 14, 0.5),
        (99, 4, 14, 1.0),
    ],
)
def test_the_share_counts_from_the_warm_ups_end(step: int, warmup: int, total: int, share: float) -> None:
    assert share_after_warmup(step, warmup, total) == pytest.approx(share)


def test_a_training_that_is_all_warm_up_has_no_share_to_divide_by() -> None:
    assert share_after_warmup(3, 10, 5) == 0
    assert share_after_warmup(11, 10, 5) == 1


@pytest.mark.parametrize(("epochs", "warns"), [(2, False), (2.9, False), (3, True), (40, True)])
def test_a_warm_up_that_does_not_end_before_the_training_is_warned_of(
    epochs: float, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert warmup_steps_of(TrainingLength(total_steps=30, steps_per_epoch=10), epochs) == round(10 * epochs)
    assert ("never reaches optimizer.lr" in caplog.text) == warns
