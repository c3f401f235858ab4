import pytest

from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.study.ensemble_postprocessing import consensus


def test_one_decision_stays_what_it_is() -> None:
    only = Postprocessing(threshold=0.35, views="flips", largest_component=True, fill_holes=True)
    assert consensus([only]) == only


@pytest.mark.parametrize(("thresholds", "median"), [((0.3, 0.6, 0.4), 0.4), ((0.4, 0.5), 0.45), ((0.2, 0.2, 0.9), 0.2)])
def test_the_threshold_is_the_median(thresholds: tuple[float, ...], median: float) -> None:
    assert consensus([Postprocessing(threshold=value) for value in thresholds]).threshold == pytest.approx(median)


def test_what_most_have_is_done() -> None:
    members = [
        Postprocessing(threshold=0.5, views="flips", largest_component=True),
        Postprocessing(threshold=0.5, views="flips", largest_component=True, fill_holes=True),
        Postprocessing(threshold=0.5, views="none"),
    ]
    assert consensus(members) == Postprocessing(threshold=0.5, views="flips", largest_component=True, fill_holes=False)


def test_where_opinions_are_divided_less_is_done() -> None:
    members = [
        Postprocessing(threshold=0.5, views="turns", fill_holes=True),
        Postprocessing(threshold=0.5, views="flips"),
    ]
    assert consensus(members) == Postprocessing(threshold=0.5, views="flips", fill_holes=False)
