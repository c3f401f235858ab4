"""Limits of a chart's axis where all that is drawn is one number, or one but for rounding."""

from typing import Literal

from matplotlib.axes import Axes

ROUNDING = 1e-9
"""Scores that differ by less are one: an axis would be labelled 1e-17."""
SPAN = 0.1
"""Length of an axis whose scores are all equal."""


def keep_apart(axes: Axes, direction: Literal["x", "y"], *, lowest: float | None = None) -> None:
    """Widens an axis along which nothing differs; call it when everything is drawn.

    Args:
        axes: Of the chart.
        direction: Of the axis.
        lowest: Below which nothing can lie, for example 0 for shares.
    """
    low, high = axes.dataLim.intervalx if direction == "x" else axes.dataLim.intervaly
    if not 0 <= high - low < ROUNDING * max(1.0, abs(high)):  # without data, the ends are infinite
        return
    start = low - SPAN / 2 if lowest is None else max(low - SPAN / 2, lowest)
    (axes.set_xlim if direction == "x" else axes.set_ylim)(start, start + SPAN)
