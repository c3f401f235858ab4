"""What the probabilities of all pixels say, counted so that memory does not grow with the number of pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, average_precision_score, brier_score_loss, precision_recall_curve, roc_curve

from lesionseg.evaluation.summary import CalibrationBin, Curves

STEPS = 1000
"""Probabilities are told apart in steps of a thousandth."""
THRESHOLDS = 100
"""Steps of the threshold from 0 to 1; a divisor of STEPS."""
BINS = 10
"""Of the reliability diagram, equally wide; a divisor of STEPS."""
MOST_POINTS = 300
"""Of a stored curve."""
DEVIATION = 0.0005
"""How far a stored curve may lie from the full one: half a pixel of a drawing 1,000 pixels wide."""
BLOCK = 1 << 17
"""Pixels counted at a time: they stay in the processor's cache, and a large image needs no more memory."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def _counts() -> Counts:
    return np.zeros((2, STEPS + 1), np.int64)


def _sums() -> Floats:
    return np.zeros((2, STEPS + 1))


def _over_thresholds() -> Floats:
    return np.zeros(THRESHOLDS + 1)


@dataclass
class ProbabilityCounts:
    """Histogram of the pixels' probabilities by true class, and scores of the images at each threshold.

    Level k holds the probabilities above (k - 1) / STEPS up to k / STEPS, level 0 those that are 0: rounded up, so that
    a level is above a threshold exactly where its probabilities are. Every level also knows its mean probability, so
    calibration and Brier score do not suffer from the rounding.

    Build one for each image, in any thread, and merge them in one; it can be pickled to travel between processes.

    Attributes:
        images: Number of images.
        pixels: (2, STEPS + 1) number of pixels; skin first, lesion second.
        sums: (2, STEPS + 1) sum of their probabilities.
        dice: (THRESHOLDS + 1,) sum over images at each threshold from 0 to 1.
        jaccard: Likewise.
    """

    images: int = 0
    pixels: Counts = field(default_factory=_counts)
    sums: Floats = field(default_factory=_sums)
    dice: Floats = field(default_factory=_over_thresholds)
    jaccard: Floats = field(default_factory=_over_thresholds)

    @classmethod
    def of_image(cls, probability: NDArray[np.float32], target: NDArray[np.uint8]) -> Self:
        """Counts one image's pixels; see `add`."""
        counts = cls()
        counts.add(probability, target)
        return counts

    def add(self, probability: NDArray[np.float32], target: NDArray[np.uint8]) -> None:
        """Counts one more image's pixels.

        Args:
            probability: (H, W) float32 in [0, 1].
            target: (H, W) uint8 in {0, 1}.

        Raises:
            ValueError: The shapes differ, or a value is outside its range or not a number.
        """
        _check(probability, target)
        pixels, sums = _histogram(probability, target)
        dice, jaccard = _overlap(pixels)
        self.merge(ProbabilityCounts(1, pixels, sums, dice, jaccard))

    def merge(self, other: "ProbabilityCounts") -> None:
        """Adds another's images; only one thread at a time may do so."""
        self.images += other.images
        self.pixels += other.pixels
        self.sums += other.sums
        self.dice += other.dice
        self.jaccard += other.jaccard

    def curves(self) -> Curves:
        """Computes every curve and number with scikit-learn from the levels, weighted by their pixels.

        Where the truth is all lesion or all skin, ROC and precision-recall curve are empty and their areas None.
        A recall that no probability reaches has the precision 1, as scikit-learn defines it.

        Raises:
            ValueError: There is no image.
        """
        if self.images == 0:
            raise ValueError("there are no probabilities; allowed: at least one image")
        roc, roc_area = self._roc()
        precision_recall, average_precision = self._precision_recall()
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
            brier=self._brier(),
        )

    @property
    def _has_both_classes(self) -> bool:
        return bool(self.pixels.sum(axis=1).all())

    def _roc(self) -> tuple[Floats, float | None]:
        """Computes the ROC curve, (2, points), and the area below it."""
        if not self._has_both_classes:
            return np.empty((2, 0)), None
        truth, level, weight = self._levels()
        rising, rates, _ = roc_curve(truth, level, sample_weight=weight)
        return thinned(np.array([rising, rates])), float(auc(rising, rates))

    def _precision_recall(self) -> tuple[Floats, float | None]:
        """Computes precision over rising recall, (2, points), and the average precision."""
        if not self._has_both_classes:
            return np.empty((2, 0)), None
        truth, level, weight = self._levels()
        precision, recall, _ = precision_recall_curve(truth, level, sample_weight=weight)
        average = float(average_precision_score(truth, level, sample_weight=weight))
        return thinned(np.array([recall, precision])[:, ::-1]), average

    def _brier(self) -> float:
        """Averages the squared difference; a level's own spread, at most a quarter of a millionth, is left out."""
        truth, _, weight = self._levels()
        means = self.sums / np.maximum(self.pixels, 1)
        return float(brier_score_loss(truth, means.ravel(), sample_weight=weight, pos_label=1))

    def _levels(self) -> tuple[Counts, Counts, Floats]:
        """Lists class, level and number of pixels as scikit-learn wants them, (2 * (STEPS + 1),) each."""
        truth = np.repeat([0, 1], STEPS + 1)
        return truth, np.tile(np.arange(STEPS + 1), 2), self.pixels.ravel().astype(float)

    def _calibration(self) -> list[CalibrationBin]:
        """Sums the levels up to bins, each with its upper end and without its lower one, as in Guo et al. 2017."""
        first_levels = [0, *range(STEPS // BINS + 1, STEPS, STEPS // BINS)]  # the first bin holds level 0 as well
        pixels = np.add.reduceat(self.pixels, first_levels, axis=1)
        sums = np.add.reduceat(self.sums, first_levels, axis=1).sum(axis=0)
        totals = pixels.sum(axis=0)
        return [
            CalibrationBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                confidence=float(sums[number] / totals[number]),
                frequency=float(pixels[1, number] / totals[number]),
                pixels=int(totals[number]),
            )
            for number in range(BINS)
            if totals[number] > 0
        ]


def _check(probability: NDArray[np.float32], target: NDArray[np.uint8]) -> None:
    if probability.shape != target.shape or target.size == 0:
        raise ValueError(f"probability is {probability.shape}, target {target.shape}; allowed: one shape with pixels")
    lowest, highest = float(probability.min()), float(probability.max())
    if not (lowest >= 0 and highest <= 1):  # so that NaN is caught
        raise ValueError(f"probabilities are {lowest:g} to {highest:g}; allowed: 0 to 1")
    if target.max() > 1:
        raise ValueError(f"the target has values up to {target.max()}; allowed: 0 and 1")


def _histogram(probability: NDArray[np.float32], target: NDArray[np.uint8]) -> tuple[Counts, Floats]:
    """Counts pixels and sums probabilities by class and level, both (2, STEPS + 1)."""
    size = 2 * (STEPS + 1)
    pixels, sums = np.zeros(size, np.int64), np.zeros(size)
    for values, lesion in _blocks(probability.ravel(), target.ravel()):
        levels = np.ceil(values * np.float32(STEPS)).astype(np.intp)
        levels += lesion * np.intp(STEPS + 1)
        pixels += np.bincount(levels, minlength=size)
        sums += np.bincount(levels, weights=values, minlength=size)
    return pixels.reshape(2, -1), sums.reshape(2, -1)


def _blocks(
    values: NDArray[np.float32], lesion: NDArray[np.uint8]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    for start in range(0, len(values), BLOCK):
        yield values[start : start + BLOCK], lesion[start : start + BLOCK]


def _overlap(pixels: Counts) -> tuple[Floats, Floats]:
    """Computes one image's Dice and Jaccard at each threshold from its histogram; 1 where both masks are empty."""
    above = pixels.sum(axis=1, keepdims=True) - pixels.cumsum(axis=1)[:, :: STEPS // THRESHOLDS]
    false_positives, true_positives = above
    union = false_positives + pixels[1].sum()
    jaccard = np.where(union > 0, true_positives / np.maximum(union, 1), 1.0)
    return 2 * jaccard / (1 + jaccard), jaccard


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
