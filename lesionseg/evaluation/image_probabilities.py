"""One image's probabilities, counted in a million levels, with finer ones at 0 and 1, where networks crowd them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula import Counts as PixelCounts
from lesionseg.metrics.jaccard import Jaccard

THRESHOLDS = 100
"""Steps of the threshold from 0 to 1."""
BINS = 10
"""Equally wide bins of the reliability diagram."""
BLOCK = 1 << 20
"""Pixels counted at a time, which bounds the memory for large images."""
STEPS = 1 << 20
"""Equal steps from 0 to 1 that separate levels between the ends, about a millionth each."""
END = 2.0**-10
"""Distance from 0 or 1 within which levels are finer."""
DETAIL = 11
"""Binary digits that separate levels below END: one part in 2,048."""

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Counts = NDArray[np.int64]
Levels = NDArray[np.int32]

_DROPPED = np.uint32(23 - DETAIL)
"""Binary digits of the fraction of a float32 that are dropped."""
_NORMAL = 1 << DETAIL
"""The smallest normal float32, 2**-126, without the dropped digits; smaller numbers share the lowest level with 0."""
_SMALL = (116 << DETAIL) + 1
"""Number of levels below END: 116 powers of two, and the lowest."""
_NEAR_ONE = 1 << 24
"""Steps of float32 between 0.5 and 1 have the size 1 / _NEAR_ONE; each step above 1 - END is a level."""
_LARGE = int(END * _NEAR_ONE)
LEVELS = _SMALL + (STEPS - 2 * int(END * STEPS) + 1) + _LARGE


@dataclass(frozen=True)
class ClassCounts:
    """Counts of pixels of one class.

    Attributes:
        kind: 0 for skin, 1 for lesion.
        levels: (n,) rising levels that occur, see `levels_of`.
        pixels: (n,) number of pixels of each level.
        lowest: (n,) smallest probability of each level.
        highest: (n,) largest probability of each level.
        above: (THRESHOLDS + 1,) number of pixels above each threshold from 0 to 1.
        bins: (BINS,) number of pixels of each bin.
        bin_sums: (BINS,) sum of the probabilities of each bin.
        squares: Sum over pixels of the squared difference between probability and class.
    """

    kind: int
    levels: Levels
    pixels: Counts
    lowest: Floats32
    highest: Floats32
    above: Counts
    bins: Counts
    bin_sums: Floats
    squares: float

    @classmethod
    def of(cls, values: Floats32, kind: int) -> Self:
        """Counts probabilities, (n,) in [0, 1], and sorts them in place."""
        values.sort()
        levels = levels_of(values)
        starts = np.flatnonzero(np.concatenate([[True], levels[1:] != levels[:-1]]))
        ends = np.append(starts[1:], len(values))
        bin_ends = np.searchsorted(values, _edges(BINS), side="right")
        bin_ends[0] = 0  # the first bin holds 0 as well
        doubles = values.astype(float)
        bin_sums = np.array([doubles[a:b].sum() for a, b in pairwise(bin_ends)])
        return cls(
            kind=kind,
            levels=levels[starts],
            pixels=ends - starts,
            lowest=values[starts],
            highest=values[ends - 1],
            # A probability that is the threshold itself is not above it.
            above=len(values) - np.searchsorted(values, _edges(THRESHOLDS), side="right"),
            bins=np.diff(bin_ends),
            bin_sums=bin_sums,
            squares=float(doubles @ doubles) + kind * (len(values) - 2 * float(bin_sums.sum())),
        )


@dataclass(frozen=True)
class ImageProbabilities:
    """Counts of one image, in parts that hold one class each."""

    parts: Sequence[ClassCounts]

    @classmethod
    def of(cls, probability: Floats32, target: NDArray[np.uint8]) -> Self:
        """Counts an image's pixels.

        Args:
            probability: (H, W) float32 in [0, 1].
            target: (H, W) uint8 in {0, 1}.

        Raises:
            ValueError: The shapes differ, or a value is outside its range or not a number.
        """
        _check(probability, target)
        return cls([ClassCounts.of(*block) for block in _blocks(probability.ravel(), target.ravel())])

    def overlap(self) -> tuple[Floats, Floats]:
        """Computes Dice and Jaccard at each threshold, (THRESHOLDS + 1,) each, 1 where both masks are empty."""
        above = np.zeros((2, THRESHOLDS + 1), np.int64)
        for part in self.parts:
            above[part.kind] += part.above
        skin, lesion = (sum(int(part.pixels.sum()) for part in self.parts if part.kind == kind) for kind in (0, 1))
        counts = PixelCounts(above[1], above[0], lesion - above[1], skin - above[0])
        return Dice().score(counts), Jaccard().score(counts)


def levels_of(values: Floats32) -> Levels:
    """Returns the level of each probability: (n,) rising in [0, 1] -> (n,) rising from 0 to LEVELS - 1.

    Between END and 1 - END, levels are 1 / STEPS wide. Below, a level is a power of two with DETAIL binary digits, read
    from the bits of the float32. Above, every float32 is a level.
    """
    first, last = np.searchsorted(values, [np.float32(END), np.nextafter(np.float32(1 - END), np.float32(1))])
    small = (values[:first].view(np.uint32) >> _DROPPED).view(np.int32)
    middle = (values[first:last] * np.float32(STEPS)).astype(np.int32)
    large = ((np.float32(1) - values[last:]) * np.float32(_NEAR_ONE)).astype(np.int32)
    offset = np.int32(_SMALL - int(END * STEPS))
    levels = [np.maximum(small - np.int32(_NORMAL - 1), np.int32(0)), middle + offset, np.int32(LEVELS - 1) - large]
    return np.concatenate(levels)


def _check(probability: Floats32, target: NDArray[np.uint8]) -> None:
    if probability.shape != target.shape or target.size == 0:
        raise ValueError(f"probability is {probability.shape}, target {target.shape}; allowed: one shape with pixels")
    lowest, highest = float(probability.min()), float(probability.max())
    if not (lowest >= 0 and highest <= 1):  # also catches NaN
        raise ValueError(f"probabilities are {lowest:g} to {highest:g}; allowed: 0 to 1")
    if target.max() > 1:
        raise ValueError(f"the target has values up to {target.max()}; allowed: 0 and 1")


def _blocks(values: Floats32, target: NDArray[np.uint8]) -> Iterator[tuple[Floats32, int]]:
    """Copies the probabilities of each class block by block; -0.0 becomes 0.0, because levels depend on the bits."""
    for start in range(0, len(values), BLOCK):
        block, lesion = np.abs(values[start : start + BLOCK]), target[start : start + BLOCK].view(np.bool_)
        for kind, chosen in enumerate((block[~lesion], block[lesion])):
            if chosen.size:
                yield chosen, kind


def _edges(steps: int) -> Floats32:
    return (np.arange(steps + 1) / steps).astype(np.float32)
