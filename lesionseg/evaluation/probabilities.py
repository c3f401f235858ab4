"""What the probabilities of all pixels say, counted so that memory does not grow with the number of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from lesionseg.evaluation.image_probabilities import (
    BINS,
    LEVELS,
    THRESHOLDS,
    Counts,
    Floats,
    Floats32,
    ImageProbabilities,
)
from lesionseg.evaluation.summary import CalibrationBin, Curves

MOST_POINTS = 300
"""Of a stored curve."""
DEVIATION = 0.0005
"""How far a stored curve may lie from the full one: half a pixel of a drawing 1,000 pixels wide."""


def _counts() -> Counts:
    return np.zeros((2, LEVELS), np.int64)


def _lowest() -> Floats32:
    return np.full(LEVELS, np.inf, np.float32)


def _highest() -> Floats32:
    return np.full(LEVELS, -np.inf, np.float32)


def _over_thresholds() -> Floats:
    return np.zeros(THRESHOLDS + 1)


def _bins() -> Counts:
    return np.zeros((2, BINS), np.int64)


def _bin_sums() -> Floats:
    return np.zeros(BINS)


@dataclass
class ProbabilityCounts:
    """Histogram of the pixels' probabilities by true class, and scores of the images at each threshold.

    Images are counted in any thread (`ImageProbabilities.of`) and added up here. Counts are integers, so that neither
    the images' order nor who adds them changes an area. It can be pickled to travel between processes.

    Attributes:
        images: Number of images.
        pixels: (2, LEVELS) number of pixels; skin first, lesion second.
        lowest: (LEVELS,) the smallest probability of each level; infinity where there is none.
        highest: (LEVELS,) the largest likewise; minus infinity where there is none.
        bins: (2, BINS) pixels of each bin of the reliability diagram, by class.
        bin_sums: (BINS,) sum of their probabilities.
        squares: Sum over pixels of the squared difference between probability and class.
        dice: (THRESHOLDS + 1,) sum over images at each threshold from 0 to 1.
        jaccard: Likewise.
    """

    images: int = 0
    pixels: Counts = field(default_factory=_counts)
    lowest: Floats32 = field(default_factory=_lowest)
    highest: Floats32 = field(default_factory=_highest)
    bins: Counts = field(default_factory=_bins)
    bin_sums: Floats = field(default_factory=_bin_sums)
    squares: float = 0.0
    dice: Floats = field(default_factory=_over_thresholds)
    jaccard: Floats = field(default_factory=_over_thresholds)

    @classmethod
    def of_images(cls, *images: ImageProbabilities) -> Self:
        """Adds images up."""
        counts = cls()
        for image in images:
            counts.add(image)
        return counts

    def add(self, image: ImageProbabilities) -> None:
        """Adds one more image; only one thread at a time may do so."""
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
        """Adds another's images, for example those of another process."""
        self.images += other.images
        self.pixels += other.pixels
        self.lowest = np.minimum(self.lowest, other.lowest)
        self.highest = np.maximum(self.highest, other.highest)
        self.bins += other.bins
        self.bin_sums += other.bin_sums
        self.squares += other.squares
        self.dice += other.dice
        self.jaccard += other.jaccard

    def examples(self) -> tuple[Counts, Floats32, Floats]:
        """Lists class, probability and number of pixels, (n,) each, of every level that occurs, for TensorBoard."""
        truth, level, weight = self._examples()
        return truth, self.highest[level], weight

    def _examples(self) -> tuple[Counts, Counts, Floats]:
        """Lists class, level and number of pixels likewise, as scikit-learn wants them."""
        levels = np.flatnonzero(self.pixels.any(axis=0))
        return np.repeat([0, 1], len(levels)), np.tile(levels, 2), self.pixels[:, levels].ravel().astype(float)

    def curves(self) -> Curves:
        """Computes every curve and number; the areas with scikit-learn from the levels, weighted by their pixels.

        Where the truth is all lesion or all skin, ROC and precision-recall curve are empty and their areas None.
        A recall that no probability reaches has the precision 1, as scikit-learn defines it.

        Raises:
            ValueError: There is no image.
        """
        if self.images == 0:
            raise ValueError("there are no probabilities; allowed: at least one image")
        roc, roc_area, roc_error = self._roc()
        precision_recall, average_precision, precision_error = self._precision_recall()
        calibration = self._calibration()
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
            calibration_error=_calibration_error(calibration),
            brier=self.squares / int(self.bins.sum()),
            roc_area_error=roc_error,
            average_precision_error=precision_error,
        )

    @property
    def _has_both_classes(self) -> bool:
        return bool(self.pixels.any(axis=1).all())

    def _roc(self) -> tuple[Floats, float | None, float | None]:
        """Computes the ROC curve, (2, points), the area below it, and how far that may be from the single pixels'.

        Pairs of skin and lesion in one level count half in the area; they should count something from 0 to 1.
        """
        if not self._has_both_classes:
            return np.empty((2, 0)), None, None
        truth, level, weight = self._examples()
        rising, rates, _ = roc_curve(truth, level, sample_weight=weight)
        skin, lesion = self.pixels.astype(float)
        error = float((skin * lesion)[self._unsure].sum() / skin.sum() / lesion.sum() / 2)
        return thinned(np.array([rising, rates])), float(auc(rising, rates)), error

    def _precision_recall(self) -> tuple[Floats, float | None, float | None]:
        """Computes precision over rising recall, (2, points), the average precision, and how far that may be off.

        scikit-learn takes all pixels of a level for equal, which is right where they are. Elsewhere the precision at
        each of its lesion pixels is put right, as if skin and lesion were evenly mixed.
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

    @property
    def _unsure(self) -> NDArray[np.bool_]:
        """Finds the levels in which the order of skin and lesion is lost: (LEVELS,)."""
        return (self.lowest < self.highest) & self.pixels.all(axis=0)

    def _precisions_within(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Computes the mean precision at the lesion pixels of each unsure level under four assumptions.

        Returns:
            (n,) each: the level's lesion pixels, and their mean precision if all of the level's pixels are equal, if
            skin and lesion are evenly mixed, at least (all skin before all lesion) and at most. Along the level the
            precision is a concave curve: its mean is at least that of its ends, and Simpson's rule is good for it.
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
        """Lists the bins that have pixels, each with its upper end and without its lower one, as in Guo et al. 2017."""
        totals = self.bins.sum(axis=0)
        return [
            CalibrationBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                confidence=float(self.bin_sums[number] / totals[number]),
                frequency=float(self.bins[1, number] / totals[number]),
                pixels=int(totals[number]),
            )
            for number in range(BINS)
            if totals[number] > 0
        ]


def _calibration_error(calibration: Sequence[CalibrationBin]) -> float:
    """Averages how far frequency and confidence are apart, over pixels."""
    total = sum(part.pixels for part in calibration)
    return sum(part.pixels * abs(part.confidence - part.frequency) for part in calibration) / total


def thinned(points: Floats) -> Floats:
    """Leaves out points of a line that nobody would miss: the rest, joined, runs where all did.

    Starts with both ends and takes the point that is farthest from the line in, until none is farther than DEVIATION
    or there are MOST_POINTS (Ramer 1972, Douglas & Peucker 1973).

    Args:
        points: (2, n) coordinates about 0 to 1, n at least 1.

    Returns:
        (2, m), in order, m at most MOST_POINTS.
    """
    kept = {0, points.shape[1] - 1}
    gaps: list[tuple[float, int, int, int]] = []
    _measure(gaps, points, 0, points.shape[1] - 1)
    while gaps and len(kept) < MOST_POINTS:
        _, first, farthest, last = heappop(gaps)
        kept.add(farthest)
        _measure(gaps, points, first, farthest)
        _measure(gaps, points, farthest, last)
    return points[:, sorted(kept)]


def _measure(gaps: list[tuple[float, int, int, int]], points: Floats, first: int, last: int) -> None:
    """Notes which point is farthest from the line between two others, if far enough; the farthest of all pops first."""
    if last - first < 2:
        return
    offsets = points[:, first + 1 : last] - points[:, [first]]
    along = points[:, last] - points[:, first]
    share = np.clip(along @ offsets / max(float(along @ along), 1e-300), 0, 1)  # ends may coincide
    distances = np.hypot(*(offsets - along[:, np.newaxis] * share))
    farthest = int(distances.argmax())
    if distances[farthest] > DEVIATION:
        heappush(gaps, (-float(distances[farthest]), first, first + 1 + farthest, last))
