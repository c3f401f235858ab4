"""The warm-up rises in a line, and what comes after it is counted from its end."""

import pytest

from lesionseg.scheduler.length import TrainingLength
from lesionseg.scheduler.warmup import share_after_warmup, warmup_factor, warmup_steps_of


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
