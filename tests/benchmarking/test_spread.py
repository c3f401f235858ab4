import pytest

from lesionseg.benchmarking.spread import Spread, paired_ratio, spread_of


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([5.0, 1.0, 4.0, 2.0, 3.0], Spread(3.0, 2.0, 4.0)),
        ([4.0, 1.0, 3.0, 2.0], Spread(2.5, 1.75, 3.25)),
        ([7.0], Spread(7.0, 7.0, 7.0)),
    ],
)
def test_median_and_quartiles_are_those_of_hand(values: list[float], spread: Spread) -> None:
    assert spread_of(values) == spread


def test_a_round_that_was_slow_for_both_does_not_change_their_ratio() -> None:
    assert paired_ratio([10.0, 1.0, 9.0], [5.0, 0.5, 1.0]) == 2.0
