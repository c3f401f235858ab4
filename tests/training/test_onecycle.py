"""One cycle: cosines up and down, against the formula and against torch."""

import math
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from lesionseg.config.build import TrainingLength
from lesionseg.training.onecycle import onecycle

OPTIONS = {"warmup_share": 0.25, "first_factor": 0.04, "final_factor": 0.0004}


def between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def test_it_rises_to_the_top_and_falls_to_the_final_factor_along_cosines(rates: Any) -> None:
    """The top is at step 0.25 * 20 - 1 = 4, the end at step 19."""
    up = [between(0.04, 1, step / 4) for step in range(5)]
    down = [between(1, 0.0004, (step - 4) / 15) for step in range(5, 20)]
    assert rates(onecycle, **OPTIONS) == pytest.approx(up + down)


def test_it_is_torchs_own_with_the_shares_turned_into_divisors(rates: Any) -> None:
    other = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = OneCycleLR(other, 1.0, total_steps=20, pct_start=0.25, div_factor=25, final_div_factor=100)
    expected = []
    for _ in range(20):
        expected.append(other.param_groups[0]["lr"])
        other.step()
        schedule.step()
    assert rates(onecycle, **OPTIONS) == pytest.approx(expected)


def test_a_rise_of_a_single_step_does_not_divide_by_zero(rates: Any) -> None:
    """A quarter of four steps."""
    expected = [0.04, *(between(1, 0.0004, step / 3) for step in (1, 2, 3))]
    assert rates(onecycle, total_steps=4, **OPTIONS) == pytest.approx(expected, abs=1e-3)


def test_each_group_reaches_its_own_rate() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (1.0, 0.1)]
    optimizer = torch.optim.Adam(groups)
    (setting,) = onecycle(optimizer, TrainingLength(20, 4), **OPTIONS)
    for _ in range(4):
        optimizer.step()
        setting["scheduler"].step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1.0, 0.1])


def test_adams_first_beta_goes_the_other_way() -> None:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    (setting,) = onecycle(optimizer, TrainingLength(20, 4), **OPTIONS)
    betas = []
    for _ in range(20):
        betas.append(optimizer.param_groups[0]["betas"][0])
        optimizer.step()
        setting["scheduler"].step()
    assert (betas[0], betas[4], betas[19]) == pytest.approx((0.95, 0.85, 0.95))
