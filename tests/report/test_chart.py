"""An axis along which nothing differs shows numbers that people can read."""

import pytest
from matplotlib.figure import Figure

from lesionseg.report.chart import keep_apart


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([0.0, 0.0], (0.0, 0.1)),
        ([1e-17, 3e-17], (0.0, 0.1)),
        ([0.8, 0.8 + 1e-16], (0.75, 0.85)),
    ],
)
def test_equal_values_lie_on_an_axis_of_a_tenth(values: list[float], limits: tuple[float, float]) -> None:
    axes = Figure().add_subplot()
    axes.plot([1, 2], values)
    keep_apart(axes, "y", lowest=0.0)
    assert axes.get_ylim() == pytest.approx(limits)


def test_a_difference_of_nothing_lies_in_the_middle() -> None:
    axes = Figure().add_subplot()
    axes.axvline(0)
    axes.plot([1e-18, -1e-18], [1, 2])
    keep_apart(axes, "x")
    assert axes.get_xlim() == pytest.approx((-0.05, 0.05))


def test_values_that_differ_and_axes_without_any_are_left_alone() -> None:
    axes = Figure().add_subplot()
    empty = axes.get_ylim()
    keep_apart(axes, "y")
    assert axes.get_ylim() == empty
    axes.plot([1, 2], [0.80, 0.81])
    before = axes.get_ylim()
    keep_apart(axes, "y")
    assert axes.get_ylim() == before
