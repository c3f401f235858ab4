"""What several rounds say together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """The middle of some numbers, and where the middle half of them lies."""

    median: float
    lower_quartile: float
    upper_quartile: float


def spread_of(values: Sequence[float]) -> Spread:
    """Returns median and quartiles, interpolated between neighbours (numpy's and R's default, Hyndman & Fan's type 7).

    Args:
        values: At least one.
    """
    lower, median, upper = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return Spread(median=median, lower_quartile=lower, upper_quartile=upper)


def paired_ratio(values: Sequence[float], references: Sequence[float]) -> float:
    """Returns the median of the rounds' ratios: what slows a whole round leaves it as it is.

    Args:
        values: One a round.
        references: Times of the same rounds, none of them 0.
    """
    return float(np.median(np.asarray(values) / np.asarray(references)))
