"""The plateau schedule lowers the rate when the monitored value gets no better, not before."""

from typing import Any

import pytest
from torch.optim import Optimizer

from lesionseg.config.build import TrainingLength
from lesionseg.training.plateau import plateau

OPTIONS: dict[str, Any] = {"monitor": "val/dice", "mode": "max", "factor": 0.5, "patience": 2, "warmup_epochs": 0}


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
    (setting,) = plateau(optimizer, TrainingLength(20, 4), **(OPTIONS | {"mode": mode}))
    found = []
    for value in values:
        setting["scheduler"].step(value)  # type: ignore[call-arg]
        found.append(optimizer.param_groups[0]["lr"] / 2)
    assert found == pytest.approx(expected)


def test_it_looks_at_the_monitored_value_once_an_epoch(optimizer: Optimizer) -> None:
    (setting,) = plateau(optimizer, TrainingLength(20, 4), **OPTIONS)
    assert (setting["interval"], setting["monitor"]) == ("epoch", "val/dice")


def test_the_warm_up_rises_step_by_step(rates: Any) -> None:
    found = rates(plateau, **(OPTIONS | {"warmup_epochs": 1}))
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[5:] == pytest.approx([1.0] * 15)


def test_the_warm_up_does_not_undo_a_lowered_rate(optimizer: Optimizer) -> None:
    lowering, warmup = plateau(optimizer, TrainingLength(20, 4), **(OPTIONS | {"warmup_epochs": 1}))
    for epoch in range(5):
        for _ in range(4):
            optimizer.step()
            warmup["scheduler"].step()
        lowering["scheduler"].step(0.5)  # type: ignore[call-arg]
        assert optimizer.param_groups[0]["lr"] / 2 == pytest.approx(1 if epoch < 3 else 0.5)
