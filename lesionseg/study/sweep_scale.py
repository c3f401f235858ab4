"""Where a parameter's values lie on an axis: numbers by their size, words side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

Kind = Literal["linear", "log", "words"]
LOG_SPAN = 30.0
"""Positive numbers whose largest is more than so many times the smallest lie on a logarithmic axis."""
MOST_TICKS = 6
"""So many different numbers can each be named on an axis, and have a median of their own."""
SMALLEST_GAP = 0.1
"""Numbers that lie closer than this share of their axis cannot be named beside each other."""
GROUPS = 4
"""More numbers than that are grouped for their medians, in so many groups of as many jobs each."""


@dataclass(frozen=True)
class Scale:
    """Maps a parameter's values to numbers along an axis.

    Attributes:
        kind: `words` as soon as one value is no finite number.
        values: Each different value once, in its order on the axis.
    """

    kind: Kind
    values: Sequence[str]

    def place(self, value: str) -> float:
        """Returns a value as the axis counts: the number, its decadic logarithm, or the word's place from 0 on."""
        if self.kind == "words":
            return float(self.values.index(value))
        return math.log10(float(value)) if self.kind == "log" else float(value)

    @property
    def names_each(self) -> bool:
        """Whether each value is named on the axis; else there are round numbers in their place."""
        if self.kind == "words":
            return True
        places = [self.place(value) for value in self.values]
        gaps = [after - before for before, after in pairwise(places)]
        return len(places) <= MOST_TICKS and min(gaps, default=1.0) >= SMALLEST_GAP * (places[-1] - places[0])


def scale_of(values: Sequence[str]) -> Scale:
    """Chooses the scale for a parameter's values, in any order and as often as they occur."""
    different = sorted(set(values))
    numbers = [number for number in map(_number, different) if number is not None]
    if len(numbers) < len(different):
        return Scale("words", different)
    is_wide = min(numbers) > 0 and max(numbers) / min(numbers) > LOG_SPAN
    return Scale("log" if is_wide else "linear", sorted(different, key=float))


def medians(places: Sequence[float], heights: Sequence[float]) -> list[tuple[float, float]]:
    """Returns points of a line through the middle of others, from left to right.

    Args:
        places: Along the axis.
        heights: As many.

    Returns:
        For each place its heights' median or, where there are more than `MOST_TICKS` places, the medians of both in
        `GROUPS` groups of neighbours.
    """
    points = sorted(zip(places, heights, strict=True))
    if len(set(places)) <= MOST_TICKS:
        return [(place, median(high for at, high in points if at == place)) for place in sorted(set(places))]
    bounds = [round(len(points) * share / GROUPS) for share in range(GROUPS + 1)]
    groups = [points[first:last] for first, last in pairwise(bounds)]
    return [(median(at for at, _ in group), median(high for _, high in group)) for group in groups]


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
