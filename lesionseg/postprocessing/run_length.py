"""Resizes a probability, then thresholds it: as a run-length mask, or as tensors for what is exported.

Enlarging a probability bilinearly and thresholding it touches every one of millions of pixels. But along a row, between
two of the network's columns, the enlarged probability is a straight line, so where it crosses the threshold follows
from two numbers: a row has about two crossings, whatever its length. `mask_above` computes just these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.formula import Counts

if TYPE_CHECKING:
    from torch import Tensor

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

LESION = 255
"""Grey level of lesion in a mask's file."""


@dataclass(frozen=True)
class Box:
    """The smallest upright rectangle around all lesion pixels; `right` and `bottom` are its last column and row."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class RunLengthMask:
    """The lesion pixels of a mask, row by row: columns `starts` up to, but not including, `stops` of `rows`.

    It takes some kilobytes where the pixels take megabytes.
    """

    shape: tuple[int, int]
    """(H, W) of the mask in pixels."""
    rows: Integers
    starts: Integers
    stops: Integers
    """All (runs,), in the order of rows, then of columns; no run is empty."""

    @classmethod
    def of(cls, mask: NDArray[np.bool_] | NDArray[np.uint8]) -> Self:
        """Encodes a mask (H, W), bool or uint8 in {0, 1}."""
        return cls(mask.shape, *_runs(mask.view(np.bool_)))

    @property
    def area(self) -> int:
        """The number of lesion pixels."""
        return int((self.stops - self.starts).sum())

    @property
    def box(self) -> Box | None:
        """The bounding box; None where there is no lesion."""
        if not self.rows.size:
            return None
        return Box(
            left=int(self.starts.min()),
            top=int(self.rows[0]),
            right=int(self.stops.max()) - 1,
            bottom=int(self.rows[-1]),
        )

    @property
    def centroid(self) -> tuple[float, float] | None:
        """The lesion pixels' mean (x, y), the first pixel's centre being (0, 0); None where there is no lesion."""
        if not self.rows.size:
            return None
        lengths = self.stops - self.starts
        x = (lengths * (self.starts + self.stops - 1)).sum() / 2 / self.area
        return float(x), float((lengths * self.rows).sum() / self.area)

    @property
    def touches_border(self) -> bool:
        """Whether the lesion touches the image's outermost rows or columns, so that it may continue outside."""
        height, width = self.shape
        box = self.box
        return box is not None and (box.left == 0 or box.top == 0 or box.right == width - 1 or box.bottom == height - 1)

    def counts(self, target: RunLengthMask) -> Counts:
        """Counts the pixels of this prediction for a ground truth of the same shape."""
        starts, stops = self.flat()
        both = int((target._area_before(stops) - target._area_before(starts)).sum())
        return Counts.of(both=both, predicted=self.area, lesion=target.area, pixels=self.shape[0] * self.shape[1])

    def _area_before(self, positions: Integers) -> Integers:
        """Counts the lesion pixels before each position, which is counted as in `flat`."""
        starts, stops = self.flat()
        begun = np.searchsorted(starts, positions, side="right")  # number of runs
        areas = np.concatenate([[0], np.cumsum(stops - starts)])
        behind = np.maximum(np.concatenate([[0], stops])[begun] - positions, 0)  # pixels of the last begun run
        area: Integers = areas[begun] - behind
        return area

    def flat(self) -> tuple[Integers, Integers]:
        """Returns starts and stops, both (runs,) and rising, counted through all rows: row * W + column."""
        first = self.rows * self.shape[1]
        return first + self.starts, first + self.stops

    def pixels(self) -> NDArray[np.uint8]:
        """Decodes the mask: (H, W) uint8, 255 where the lesion is, else 0."""
        mask = np.zeros(self.shape, np.uint8)
        for row, start, stop in zip(self.rows.tolist(), self.starts.tolist(), self.stops.tolist(), strict=True):
            mask[row, start:stop] = LESION
        return mask


def _runs(mask: NDArray[np.bool_]) -> tuple[Integers, Integers, Integers]:
    """Finds the rows, starts and stops of (H, W), in the order of rows, then of columns."""
    outside = np.zeros((len(mask), 1), bool)
    changes = np.diff(np.hstack([outside, mask, outside]).view(np.int8), axis=1)
    rows, starts = np.nonzero(changes == 1)
    return rows, starts, np.nonzero(changes == -1)[1]


def resize_and_threshold(probability: Tensor, threshold: float, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Resizes probabilities bilinearly and thresholds them, pixel by pixel.

    Maps (B, 1, h, w) floating point in [0, 1] to probabilities of the same type and masks, both (B, 1, H, W).
    """
    from torch.nn import functional  # here, not above: `mask_above` also serves where torch is not imported

    resized = functional.interpolate(probability, size=shape, mode="bilinear")
    return resized, resized > threshold


def mask_above(probability: NDArray[np.float32], threshold: float, shape: tuple[int, int]) -> RunLengthMask:
    """Resizes one probability (h, w) in [0, 1] bilinearly to (H, W) and thresholds it, crossing by crossing.

    The mask is that of `resize_and_threshold` in float64; in float32, pixels whose probability equals the threshold to
    the last digits may differ.
    """
    height, width = shape
    corner, part = _surroundings(probability.astype(np.float64) - threshold)
    if part.size == 0:
        nowhere = np.zeros(0, np.int64)
        return RunLengthMask(shape, nowhere, nowhere, nowhere)
    scale = width / probability.shape[1]
    first_row, enlarged = _enlarged_rows(part, corner[0], probability.shape[0], height)
    rows, first, after = _runs(enlarged > 0)  # in the network's columns
    first_crossings = _crossings(enlarged, rows, first, corner[1], scale)
    last_crossings = _crossings(enlarged, rows, after, corner[1], scale)
    starts = np.where(first == 0, 0, np.floor(first_crossings).astype(np.int64) + 1).clip(0, width)
    stops = np.where(after == part.shape[1], width, np.ceil(last_crossings).astype(np.int64)).clip(0, width)
    some = starts < stops  # a network's column between two pixels may be above without any pixel being
    return RunLengthMask(shape, rows[some] + first_row, starts[some], stops[some])


def _surroundings(excess: Floats) -> tuple[tuple[int, int], Floats]:
    """Crops to the values above 0 and one more row and column on each side; returns corner and crop."""
    rows, columns = (np.flatnonzero((excess > 0).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return (0, 0), excess[:0]
    top, left = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
    return (top, left), excess[top : rows[-1] + 2, left : columns[-1] + 2]


def _enlarged_rows(part: Floats, top: int, network_height: int, height: int) -> tuple[int, Floats]:
    """Interpolates between rows; outside their centres, the network's first and last row continue unchanged.

    The part (h, w) is the network's rows from `top` on. Returns the index of the first of the image's rows that these
    rows determine, and the interpolated rows (rows, w).
    """
    position = np.clip((np.arange(height) + 0.5) * network_height / height - 0.5, 0, network_height - 1) - top
    rows = np.flatnonzero((position >= 0) & (position <= len(part) - 1))
    if not rows.size:
        return 0, part[:0]
    upper = position[rows].astype(np.int64)
    lower = np.minimum(upper + 1, len(part) - 1)
    share = (position[rows] - upper)[:, None]
    return int(rows[0]), part[upper] * (1 - share) + part[lower] * share


def _crossings(enlarged: Floats, rows: Integers, columns: Integers, left: int, scale: float) -> Floats:
    """Locates where rows cross 0 between columns - 1 and columns, in the image's pixels; at the edges anywhere.

    The enlarged rows (rows, w) are the network's columns from `left` on; rows and columns are (crossings,), the scale
    is image pixels per column of the network.
    """
    last = enlarged.shape[1] - 1
    before = np.clip(columns - 1, 0, last)
    values, following = enlarged[rows, before], enlarged[rows, np.clip(columns, 0, last)]
    change = np.where(values == following, 1, values - following)  # equal only at the edges, where both are one column
    crossings: Floats = (before + values / change + left + 0.5) * scale - 0.5
    return crossings
