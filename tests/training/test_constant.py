"""A constant learning rate after the warm-up."""

from typing import Any

import pytest

from lesionseg.training.constant import none


@pytest.mark.parametrize(
    ("warmup_epochs", "first"), [(0, [1, 1, 1, 1]), (0.5, [1 / 3, 2 / 3, 1, 1]), (0.75, [0.25, 0.5, 0.75, 1])]
)
def test_the_rate_is_constant_after_the_warm_up(rates: Any, warmup_epochs: float, first: list[float]) -> None:
    found = rates(none, warmup_epochs=warmup_epochs)
    assert found[:4] == pytest.approx(first)
    assert found[4:] == [1] * 16
