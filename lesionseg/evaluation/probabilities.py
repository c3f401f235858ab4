"""Curves and calibration of the probabilities of all pixels, in memory that does not grow with their number.

Pixels are counted in about a million levels of probability, with finer ones at 0 and 1, where networks crowd them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from lesionseg.evaluation.summary import CalibrationBin, Curves
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula import Counts as PixelCounts
from lesionseg.metrics.jaccard import Jaccard

THRESHOLDS = 100  # steps of the threshold from 0 to 1
BINS = 10  # equally wide bins of the reliability diagram
BLOCK = 1 << 20  # pixels counted at a time, which bounds the memory for large images
MOST_POINTS = 300  # of a stored curve
DEVIATION = 0.0005  # distance of a stored curve from the full one: half a pixel of a drawing 1,000 pixels wide

STEPS = 1 << 20  # levels from 0 to 1 if all were as wide as those between the ends
END = 2.0**-10  # distance from 0 or 1 within which levels are finer
DETAIL = 11  # binary digits that separate levels below END: one part in 2,048
SMALL = (116 << DETAIL) + 1  # levels below END: 116 powers of two, and the lowest for 0 and subnormal numbers
NEAR_ONE = 1 << 24  # float32 has steps of 1 / NEAR_ONE between 0.5 and 1; above 1 - END, each of them is a level
LEVELS = SMALL + (STEPS - 2 * int(END * STEPS) + 1) + int(END * NEAR_ONE)

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ClassCounts:
    """Counts of pixels of one class; arrays of (n,) belong to the n levels that occur."""

    kind: int  # 0 for skin, 1 for lesion
    levels: NDArray[np.int32]  # (n,) rising, see `levels_of`
    pixels: Counts  # (n,)
    lowest: Floats32  # (n,) smallest probability of each level
    highest: Floats32  # (n,) largest probability of each level
    above: Counts  # (THRESHOLDS + 1,) pixels above each threshold from 0 to 1
    bins: Counts  # (BINS,) pixels of each bin
    bin_sums: Floats  # (BINS,) sum of the probabilities of each bin
    squares: float  # sum over pixels of the squared difference between probability and class

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
        """Counts an image's probabilities, (H, W) float32 in [0, 1], by its target, (H, W) uint8 in {0, 1}.

        Raises:
            ValueError: The shapes differ, or a value is outside its range or not a number.
        """
        if probability.shape != target.shape or target.size == 0:
            raise ValueError(
                f"probability is {probability.shape}, target {target.shape}; allowed: one shape with pixels"
            )
        lowest, highest = float(probability.min()), float(probability.max())
        if not (lowest >= 0 and highest <= 1):  # also catches NaN
            raise ValueError(f"probabilities are {lowest:g} to {highest:g}; allowed: 0 to 1")
        if target.max() > 1:
            raise ValueError(f"the target has values up to {target.max()}; allowed: 0 and 1")
        return cls([ClassCounts.of(*block) for block in _blocks(probability.ravel(), target.ravel())])

    def overlap(self) -> tuple[Floats, Floats]:
        """Computes Dice and Jaccard at each threshold, (THRESHOLDS + 1,) each, 1 where both masks are empty."""
        above, pixels = np.zeros((2, THRESHOLDS + 1), np.int64), [0, 0]
        for part in self.parts:
            above[part.kind] += part.above
            pixels[part.kind] += int(part.pixels.sum())
        counts = PixelCounts(above[1], above[0], pixels[1] - above[1], pixels[0] - above[0])
        return Dice().score(counts), Jaccard().score(counts)


class ProbabilityCounts:
    """Histogram of the pixels' probabilities by true class, and scores of the images at each threshold.

    Images are counted in any thread (`ImageProbabilities.of`) and added up here. Counts are integers, so areas depend
    neither on the order of the images nor on who adds them. It can be pickled to travel between processes.
    """

    def __init__(self) -> None:
        self.images = 0
        self.pixels: Counts = np.zeros((2, LEVELS), np.int64)  # skin first, lesion second, as in `bins`
        self.lowest: Floats32 = np.full(LEVELS, np.inf, np.float32)  # smallest probability of each level
        self.highest: Floats32 = np.full(LEVELS, -np.inf, np.float32)  # largest probability of each level
        self.bins: Counts = np.zeros((2, BINS), np.int64)  # pixels of each bin
        self.bin_sums: Floats = np.zeros(BINS)  # sum of the probabilities of each bin
        self.squares = 0.0  # sum over pixels of the squared difference between probability and class
        self.dice: Floats = np.zeros(THRESHOLDS + 1)  # sum over images at each threshold, as is `jaccard`
        self.jaccard: Floats = np.zeros(THRESHOLDS + 1)

    def add(self, image: ImageProbabilities) -> None:
        """Adds one image; only one thread at a time may call it."""
        dice, jaccard = image.overlap()
        self.images += 1
        self.dice += dice
        self.jaccard += jaccard
        for part in image.parts:
            self.pixels[part.kind, part.levels] += part.pixels
            self.lowest[part.levels] = np.minimum(self.lowest[part.levels], part.lowest)
            self.highest[part.levels] = np.maximum(self.highest[part.levels], part.highest)
            self.bins[part.kind] += part.bins
            self.bin_sums += part.bin_sums
            self.squares += part.squares

    def merge(self, other: "ProbabilityCounts") -> None:
        """Adds the images of another object, for example from another process."""
        for name in ("images", "pixels", "bins", "bin_sums", "squares", "dice", "jaccard"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lowest = np.minimum(self.lowest, other.lowest)
        self.highest = np.maximum(self.highest, other.highest)

    def examples(self) -> tuple[Counts, Floats32, Floats]:
        """Returns class, probability and number of pixels, (n,) each, of every level that occurs, for TensorBoard."""
        truth, level, weight = self._examples()
        return truth, self.highest[level], weight

    def curves(self) -> Curves:
        """Computes every curve and number, the areas with scikit-learn from levels weighted by their pixels.

        Where the truth is all lesion or all skin, the ROC and precision-recall curves are empty and their areas None.
        A recall that no probability reaches has precision 1, as in scikit-learn.

        Raises:
            ValueError: There is no image.
        """
        if self.images == 0:
            raise ValueError("there are no probabilities; allowed: at least one image")
        roc, roc_area, roc_error = self._roc()
        precision_recall, average_precision, precision_error = self._precision_recall()
        calibration, total = self._calibration(), int(self.bins.sum())
        return Curves(
            false_positive_rate=roc[0].tolist(),
            true_positive_rate=roc[1].tolist(),
            roc_area=roc_area,
            recall=precision_recall[0].tolist(),
            precision=precision_recall[1].tolist(),
            average_precision=average_precision,
            thresholds=(np.arange(THRESHOLDS + 1) / THRESHOLDS).tolist(),
            dice=(self.dice / self.images).tolist(),
            jaccard=(self.jaccard / self.images).tolist(),
            calibration=calibration,
            calibration_error=sum(one.pixels * abs(one.confidence - one.frequency) for one in calibration) / total,
            brier=self.squares / total,
            roc_area_error=roc_error,
            average_precision_error=precision_error,
        )

    def _examples(self) -> tuple[Counts, Counts, Floats]:
        """Returns class, level and number of pixels of every level that occurs, as scikit-learn takes them."""
        levels = np.flatnonzero(self.pixels.any(axis=0))
        return np.repeat([0, 1], len(levels)), np.tile(levels, 2), self.pixels[:, levels].ravel().astype(float)

    @property
    def _has_both_classes(self) -> bool:
        return bool(self.pixels.any(axis=1).all())

    @property
    def _unsure(self) -> NDArray[np.bool_]:
        """Marks the levels in which the order of skin and lesion is lost: (LEVELS,)."""
        return (self.lowest < self.highest) & self.pixels.all(axis=0)

    def _roc(self) -> tuple[Floats, float | None, float | None]:
        """Computes the ROC curve, (2, points), the area below it, and the largest error of the area.

        Pairs of skin and lesion in one level count half; with single pixels, they would count from 0 to 1.
        """
        if not self._has_both_classes:
            return np.empty((2, 0)), None, None
        truth, level, weight = self._examples()
        rising, rates, _ = roc_curve(truth, level, sample_weight=weight)
        skin, lesion = self.pixels.astype(float)
        error = float((skin * lesion)[self._unsure].sum() / skin.sum() / lesion.sum() / 2)
        return thinned(np.array([rising, rates])), float(auc(rising, rates)), error

    def _precision_recall(self) -> tuple[Floats, float | None, float | None]:
        """Computes precision over rising recall, (2, points), the average precision, and its largest error.

        scikit-learn treats all pixels of a level as equal. Where they are not, the precision at its lesion pixels is
        corrected as if skin and lesion were evenly mixed.
        """
        if not self._has_both_classes:
            return np.empty((2, 0)), None, None
        truth, level, weight = self._examples()
        precision, recall, _ = precision_recall_curve(truth, level, sample_weight=weight)
        average = float(average_precision_score(truth, level, sample_weight=weight))
        lesion, equal, mixed, low, high = self._precisions_within()
        total = float(self.pixels[1].sum())
        average += float(lesion @ (mixed - equal)) / total
        error = max(float(lesion @ (high - mixed)), float(lesion @ (mixed - low))) / total
        return thinned(np.array([recall, precision])[:, ::-1]), average, error

    def _precisions_within(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Computes the mean precision at the lesion pixels of each unsure level under four assumptions.

        Returns:
            (n,) each: the lesion pixels of the level, and their mean precision if all of its pixels are equal, if skin
            and lesion are evenly mixed, if all skin comes first (the least), and if all lesion comes first. Along the
            level the precision is a concave curve: its mean is at least that of its ends, and Simpson's rule fits it.
        """
        chosen = self._unsure[::-1]  # the most probable level first
        counts = self.pixels[:, ::-1].astype(float)
        skin_before, lesion_before = (counts.cumsum(axis=1) - counts)[:, chosen]
        skin, lesion = counts[:, chosen]

        def precision(place: Floats, skin: Floats) -> Floats:
            found = lesion_before + place
            share: Floats = found / (found + skin_before + skin)
            return share

        def mixed(place: Floats) -> Floats:
            return precision(place, skin * place / (lesion + 1))

        half = np.full_like(lesion, 0.5)
        evenly = (mixed(half) + 4 * mixed((lesion + 1) / 2) + mixed(lesion + 0.5)) / 6
        low = (precision(2 * half, skin) + precision(lesion, skin)) / 2
        return lesion, precision(lesion, skin), evenly, low, precision(lesion, 0 * skin)

    def _calibration(self) -> list[CalibrationBin]:
        """Lists the bins that have pixels; a bin holds its upper end but not its lower one, as in Guo et al. 2017."""
        totals = self.bins.sum(axis=0)
        return [
            CalibrationBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                confidence=float(self.bin_sums[number] / totals[number]),
                frequency=float(self.bins[1, number] / totals[number]),
                pixels=int(totals[number]),
            )
            for number in np.flatnonzero(totals).tolist()
        ]


def levels_of(values: Floats32) -> NDArray[np.int32]:
    """Returns the level of each probability: (n,) rising in [0, 1] -> (n,) rising from 0 to LEVELS - 1.

    Between END and 1 - END, levels are 1 / STEPS wide. Below, a level is a power of two with DETAIL binary digits, read
    from the bits of the float32. Above, every float32 is a level.
    """
    first, last = np.searchsorted(values, [np.float32(END), np.nextafter(np.float32(1 - END), np.float32(1))])
    small = (values[:first].view(np.uint32) >> np.uint32(23 - DETAIL)).view(np.int32)  # of 23 digits of the fraction
    smallest_normal = 1 << DETAIL  # 2**-126 without the dropped digits
    middle = (values[first:last] * np.float32(STEPS)).astype(np.int32)
    large = ((np.float32(1) - values[last:]) * np.float32(NEAR_ONE)).astype(np.int32)
    offset = np.int32(SMALL - int(END * STEPS))
    levels = [np.maximum(small - np.int32(smallest_normal - 1), np.int32(0)), middle + offset]
    return np.concatenate([*levels, np.int32(LEVELS - 1) - large])


def thinned(points: Floats) -> Floats:
    """Leaves out points of a curve so that the rest, joined by lines, runs as before (Douglas & Peucker 1973).

    Takes (2, n) coordinates about 0 to 1, n at least 1, and returns (2, m) of them in order, m at most MOST_POINTS,
    within DEVIATION of the curve where so many points are enough.
    """
    deviation = DEVIATION
    kept = _simplified(points, deviation)
    while len(kept) > MOST_POINTS:
        deviation *= 1.2
        kept = _simplified(points, deviation)
    return kept.T.round(6)


def _simplified(points: Floats, deviation: float) -> Floats:
    return cv2.approxPolyDP(points.T.astype(np.float32)[:, np.newaxis], deviation, False)[:, 0].astype(float)


def _blocks(values: Floats32, target: NDArray[np.uint8]) -> Iterator[tuple[Floats32, int]]:
    """Copies the probabilities of each class block by block; -0.0 becomes 0.0, because levels depend on the bits."""
    for start in range(0, len(values), BLOCK):
        block, lesion = np.abs(values[start : start + BLOCK]), target[start : start + BLOCK].view(np.bool_)
        for kind, chosen in enumerate((block[~lesion], block[lesion])):
            if chosen.size:
                yield chosen, kind


def _edges(steps: int) -> Floats32:
    return (np.arange(steps + 1) / steps).astype(np.float32)
