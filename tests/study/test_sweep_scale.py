"""Axes for numbers and words."""

import pytest

from lesionseg.study.sweep_scale import medians, scale_of


def test_numbers_lie_by_their_size_in_their_order() -> None:
    scale = scale_of(["32", "8", "16", "8"])
    assert (scale.kind, scale.values) == ("linear", ["8", "16", "32"])
    assert scale.place("16") == 16


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "30"], "linear"),
        (["1", "31"], "log"),
        (["1e-4", "1e-2"], "log"),
        (["0", "1e-4", "1e-2"], "linear"),
        (["-1", "100"], "linear"),
        (["nan", "1"], "words"),
        (["null", "0.1"], "words"),
        (["true", "false"], "words"),
    ],
)
def test_positive_numbers_that_span_more_than_thirty_times_are_on_a_log_axis(values: list[str], kind: str) -> None:
    assert scale_of(values).kind == kind


def test_a_log_axis_counts_in_decades() -> None:
    scale = scale_of(["1e-4", "1e-2"])
    assert scale.place("1e-2") - scale.place("1e-4") == pytest.approx(2)


def test_words_lie_side_by_side() -> None:
    scale = scale_of(["sgd", "adam", "sgd"])
    assert [scale.place(word) for word in ("adam", "sgd")] == [0, 1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["8", "16", "32"], True),
        (["0.98", "0.99", "0.995", "0.998"], True),
        (["0.008459", "0.008569", "0.001", "0.0001"], False),
        ([str(number) for number in range(7)], False),
        (list("abcdefgh"), True),
        (["1"], True),
    ],
)
def test_values_are_named_where_their_names_do_not_overlap(values: list[str], named: bool) -> None:
    assert scale_of(values).names_each == named


def test_few_places_have_a_median_each() -> None:
    assert medians([1, 2, 1, 1], [0.1, 0.9, 0.3, 0.2]) == [(1, 0.2), (2, 0.9)]


def test_many_places_are_grouped_with_their_neighbours() -> None:
    places = [float(place) for place in range(8)]
    assert medians(places[::-1], places[::-1]) == [(0.5, 0.5), (2.5, 2.5), (4.5, 4.5), (6.5, 6.5)]
