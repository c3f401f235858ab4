"""Which of a run's numbers stands for what it delivers."""

import pytest

from lesionseg.metrics.delivered import objective


@pytest.mark.parametrize(
    ("results", "monitor", "value"),
    [
        ({"val/dice": 0.039, "val_delivered/dice": 0.514, "test/dice": 0.6}, "val/dice", 0.514),
        ({"val/dice": 0.8, "test/dice": 0.6}, "val/dice", 0.8),  # no decision was fitted, or an earlier version's run
        ({"val/loss": 0.3, "val_delivered/dice": 0.8}, "val/loss", 0.3),  # no mask has a loss
        ({"train/dice": 0.3, "val_delivered/dice": 0.8}, "train/dice", 0.3),
        ({"epoch": 3.0}, "val/dice", None),
    ],
)
def test_what_is_delivered_counts_where_there_is_any(
    results: dict[str, float], monitor: str, value: float | None
) -> None:
    assert objective(results, monitor) == value
