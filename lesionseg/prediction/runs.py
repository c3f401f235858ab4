"""A mask as runs of lesion pixels, worked out at the image's own size without ever making its probabilities there.

Enlarging a probability bilinearly and thresholding it, as scoring does, touches every one of millions of pixels. But
along a row, between two of the network's columns, the enlarged probability is a straight line, so where it crosses the
threshold follows from two numbers: a row has two or so crossings, whatever its length.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

LESION = 255
"""What a lesion's pixels are in a mask's file."""


@dataclass(frozen=True)
class Box:
    """The smallest upright rectangle around all lesion pixels; `right` and `bottom` are its last column and row."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Runs:
    """The lesion pixels of a mask, row by row: columns `starts` up to, but not including, `stops` of `rows`."""

    shape: tuple[int, int]
    """(H, W) of the mask in pixels."""
    rows: Integers
    starts: Integers
    stops: Integers
    """All (runs,), in the order of rows, then of columns; no run is empty."""

    @property
    def area(self) -> int:
        """Counts the lesion's pixels."""
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
        """Whether a lesion pixel lies in the image's outermost rows or columns: the lesion may go on outside."""
        height, width = self.shape
        box = self.box
        return box is not None and (box.left == 0 or box.top == 0 or box.right == width - 1 or box.bottom == height - 1)

    def mask(self) -> NDArray[np.uint8]:
        """Paints the mask: (H, W) uint8, 255 where the lesion is, else 0."""
        mask = np.zeros(self.shape, np.uint8)
        for row, start, stop in zip(self.rows.tolist(), self.starts.tolist(), self.stops.tolist(), strict=True):
            mask[row, start:stop] = LESION
        return mask


def runs_above(probability: NDArray[np.float32], threshold: float, shape: tuple[int, int]) -> Runs:
    """Finds where a probability, enlarged (or reduced) bilinearly, is above the threshold.

    The same mask as `torch.nn.functional.interpolate(..., mode="bilinear")` and `>` give, but for pixels whose
    probability equals the threshold to the last digits of float32.

    Args:
        probability: (h, w) in [0, 1], at the network's size.
        threshold: In (0, 1).
        shape: (H, W) of the mask.
    """
    height, width = shape
    enlarged = _enlarged_rows(probability.astype(np.float64), height) - threshold  # (H, w)
    above = enlarged > 0
    outside = np.zeros((height, 1), bool)
    changes = np.diff(np.hstack([outside, above, outside]).view(np.int8), axis=1)  # (H, w + 1)
    rows, columns = np.nonzero(changes == 1)
    starts = _first_above(enlarged, rows, columns, width)
    stop_rows, stop_columns = np.nonzero(changes == -1)  # as many as starts in each row, and in the same order
    stops = _first_not_above(enlarged, stop_rows, stop_columns, width)
    some = starts < stops  # a network's column between two pixels may be above without any pixel being
    return Runs(shape, rows[some], starts[some], stops[some])


def _enlarged_rows(probability: Floats, height: int) -> Floats:
    """Interpolates (h, w) to (height, w); the first and last rows go on unchanged outside their centres."""
    last = probability.shape[0] - 1
    position = np.clip((np.arange(height) + 0.5) * probability.shape[0] / height - 0.5, 0, last)
    upper = position.astype(np.int64)
    lower = np.minimum(upper + 1, last)
    share = (position - upper)[:, None]
    enlarged: Floats = probability[upper] * (1 - share) + probability[lower] * share
    return enlarged


def _first_above(enlarged: Floats, rows: Integers, columns: Integers, width: int) -> Integers:
    """Finds the first pixel right of where each row rises above 0 between column - 1 and column."""
    crossing = _crossing(enlarged, rows, columns, width)
    return np.where(columns == 0, 0, np.clip(np.floor(crossing).astype(np.int64) + 1, 0, width))


def _first_not_above(enlarged: Floats, rows: Integers, columns: Integers, width: int) -> Integers:
    """Finds the first pixel at or right of where each row falls to 0 between column - 1 and column."""
    crossing = _crossing(enlarged, rows, columns, width)
    last = enlarged.shape[1]
    return np.where(columns == last, width, np.clip(np.ceil(crossing).astype(np.int64), 0, width))


def _crossing(enlarged: Floats, rows: Integers, columns: Integers, width: int) -> Floats:
    """Places the crossings between columns - 1 and columns in the mask's pixels; the edges' do not matter."""
    last = enlarged.shape[1] - 1
    left = np.clip(columns - 1, 0, last)
    before, after = enlarged[rows, left], enlarged[rows, np.clip(columns, 0, last)]
    change = np.where(before == after, 1, before - after)  # equal only at the edges, where both are one column
    crossing: Floats = (left + before / change + 0.5) * width / enlarged.shape[1] - 0.5
    return crossing
