"""The steps from a network's probability to a mask, shared by testing, prediction and exported models.

The last step reduces a mask to one region without holes, as the ISIC 2018 challenge defines that of a lesion. It works
on the mask at its final size, not on the probability at the network's: there, a neck between two parts may be so narrow
that it falls between the pixels of the resized mask, which is then two regions again. On a run-length mask it costs
next to nothing, however large the photograph.

Neighbours are pixels that share a side (4-connectivity), of lesion and of skin alike. Skin that can be left through a
corner alone therefore counts as a hole: what remains has no holes by any definition.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesionseg.postprocessing.run_length import Integers, RunLengthMask, mask_above

Tta = Literal["none", "flips", "turns", "sizes"]
"""Test-time augmentation: the orientations and sizes in which a network sees an image, see `lesionseg.model.tta`."""

SUBJECTS: dict[Tta, str] = {
    "none": "the probability",
    "flips": "the mean probability of the image and its three flips",
    "turns": "the mean probability of the image in all eight orientations",
    "sizes": "the mean probability of the image and its three flips, each whole and at three quarters of the size",
}


@dataclass(frozen=True, kw_only=True)
class Postprocessing:
    """Settings of the three steps from a network's probability to a mask.

    1. The probability is averaged over `views` of the image.
    2. It is resized bilinearly to the mask's size, and pixels above the threshold are lesion.
    3. At that size, all regions but the largest are removed and holes are filled.

    The defaults skip the first and the third step, as files from before these steps do.

    Raises:
        ValueError: A value is not allowed.
    """

    threshold: float
    """Probability above which a pixel is lesion, in (0, 1)."""
    views: Tta = "none"
    """Test-time augmentation; `flips` takes four times as long, `turns` eight times, `sizes` six times."""
    largest_component: bool = False
    fill_holes: bool = False

    def __post_init__(self) -> None:
        """Checks the values."""
        if not 0 < self.threshold < 1:
            raise ValueError(f"segmenter.threshold is {self.threshold}; allowed: between 0 and 1")
        if self.views not in get_args(Tta):
            raise ValueError(f"segmenter.views is {self.views}; allowed: {', '.join(get_args(Tta))}")
        for name in ("largest_component", "fill_holes"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"segmenter.{name} is {getattr(self, name)}; allowed: true, false")

    @property
    def changes_regions(self) -> bool:
        """Whether the third step changes anything."""
        return self.largest_component or self.fill_holes

    def mask(self, probability: NDArray[np.float32], shape: tuple[int, int]) -> RunLengthMask:
        """Does the second and third step: (h, w) in [0, 1] -> a mask of (H, W) pixels."""
        return self._with_regions(mask_above(probability, self.threshold, shape))

    def regions_of(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Does the third step on a mask (H, W) bool; returns the mask itself if there is nothing to do."""
        return self._with_regions(RunLengthMask.of(mask)).pixels().view(np.bool_) if self.changes_regions else mask

    def _with_regions(self, mask: RunLengthMask) -> RunLengthMask:
        return with_regions(mask, largest_component=self.largest_component, fill_holes=self.fill_holes)

    def settings(self) -> dict[str, Any]:
        """Returns the settings as plain values by name."""
        return asdict(self)

    def briefly(self) -> str:
        """Names the steps for captions: `threshold 0.45, flips, largest region, holes filled`."""
        tta = [] if self.views == "none" else [self.views]
        regions = ["largest region"] * self.largest_component + ["holes filled"] * self.fill_holes
        return ", ".join([f"threshold {self.threshold:g}", *tta, *regions])

    def in_words(self) -> str:
        """Describes the steps in one line, for reports."""
        subject = SUBJECTS[self.views]
        steps = [f"lesion is where {subject}, resized to the ground truth's size, is above {self.threshold:g}"]
        steps += ["only the largest region is kept"] * self.largest_component
        steps += ["holes are filled"] * self.fill_holes
        return "; ".join(steps)


def with_regions(mask: RunLengthMask, *, largest_component: bool, fill_holes: bool) -> RunLengthMask:
    """Keeps the region of the most pixels alone, the first of equals, then fills holes; an empty mask stays empty."""
    if not mask.rows.size:
        return mask
    if largest_component:
        mask = _largest(mask)
    return _filled(mask) if fill_holes else mask


def _largest(mask: RunLengthMask) -> RunLengthMask:
    region = _regions(mask)
    areas = np.bincount(region, weights=mask.stops - mask.starts)
    kept = region == areas.argmax()
    return RunLengthMask(mask.shape, mask.rows[kept], mask.starts[kept], mask.stops[kept])


def _filled(mask: RunLengthMask) -> RunLengthMask:
    """Fills holes, each of which lies between two runs of a row: filling it takes away the ends of both."""
    starts, stops = mask.flat()
    hole_starts, hole_stops = _holes(mask).flat()
    return _from_flat(mask.shape, np.setdiff1d(starts, hole_stops), np.setdiff1d(stops, hole_starts))


def _holes(mask: RunLengthMask) -> RunLengthMask:
    """Finds the skin that does not reach the image's border."""
    gaps = _gaps(mask)
    region = _regions(gaps)
    # Above and below the lesion is nothing but skin, or the border.
    outermost = (gaps.rows == mask.rows[0]) | (gaps.rows == mask.rows[-1])
    outside = outermost | (gaps.starts == 0) | (gaps.stops == mask.shape[1])
    is_open = np.zeros(len(gaps.rows), bool)
    is_open[region[outside]] = True
    hole = ~is_open[region]
    return RunLengthMask(gaps.shape, gaps.rows[hole], gaps.starts[hole], gaps.stops[hole])


def _gaps(mask: RunLengthMask) -> RunLengthMask:
    """Finds the runs of skin in the rows from the lesion's first to its last."""
    width = mask.shape[1]
    starts, stops = mask.flat()
    borders = np.arange(mask.rows[0], mask.rows[-1] + 2) * width
    # Skin goes from a row's start or a run's stop to the next run's start or the row's end; some have no pixels.
    gap_starts = np.sort(np.concatenate([borders[:-1], stops]))
    gap_stops = np.sort(np.concatenate([starts, borders[1:]]))
    some = gap_starts < gap_stops
    return _from_flat(mask.shape, gap_starts[some], gap_stops[some])


def _regions(mask: RunLengthMask) -> Integers:
    """Numbers each run's region from 0 on, in the order of their first runs: (runs,)."""
    width, (starts, stops) = mask.shape[1], mask.flat()
    # What a run touches in the next row lies side by side: from the first that ends behind its start.
    first = np.searchsorted(stops, starts + width, side="right")
    counts = np.searchsorted(starts, stops + width, side="left") - first
    above = np.repeat(np.arange(len(starts)), counts)
    below = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    graph = coo_array((np.ones(len(above), bool), (above, below)), shape=(len(starts), len(starts)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _from_flat(shape: tuple[int, int], starts: Integers, stops: Integers) -> RunLengthMask:
    """Makes runs of what `RunLengthMask.flat` returns."""
    rows = starts // shape[1]
    return RunLengthMask(shape, rows, starts - rows * shape[1], stops - rows * shape[1])
