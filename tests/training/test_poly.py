"""Polynomial decay: (1 - t) ** power."""

from typing import Any

import pytest

from lesionseg.training.poly import poly


@pytest.mark.parametrize("power", [0.5, 0.9, 1.0, 2.0])
def test_every_step_is_on_the_curve(rates: Any, power: float) -> None:
    found = rates(poly, warmup_epochs=0, power=power)
    assert found == pytest.approx([(1 - step / 20) ** power for step in range(20)])


def test_with_power_one_it_is_a_line_after_the_warm_up(rates: Any) -> None:
    found = rates(poly, total_steps=8, warmup_epochs=1, power=1)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 0.75, 0.5, 0.25])
