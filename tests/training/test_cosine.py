"""Half a cosine from 1 to the final factor: final + (1 - final) (1 + cos(pi t)) / 2."""

import math
from typing import Any

import pytest

from lesionseg.config.build import TrainingLength
from lesionseg.training.cosine import cosine


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
