"""Curves and calibration of the probabilities of all pixels, in memory that does not grow with their number."""

from collections.abc import Sequence
from typing import Self

import cv2
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
"""Points of a stored curve."""
DEVIATION = 0.0005
"""Distance of a stored curve from the full one: half a pixel of a drawing 1,000 pixels wide."""
SUMMED = ("images", "pixels", "bins", "bin_sums", "squares", "dice", "jaccard")


class ProbabilityCounts:
    """Histogram of the pixels' probabilities by true class, and scores of the images at each threshold.

    Images are counted in any thread (`ImageProbabilities.of`) and added up here. Counts are integers, so areas depend
    neither on the order of the images nor on who adds them. It can be pickled to travel between processes.

    Attributes:
        images: Number of images.
        pixels: (2, LEVELS) number of pixels; skin first, lesion second.
        lowest: (LEVELS,) smallest probability of each level; infinity where there is none.
        highest: (LEVELS,) largest probability of each level; minus infinity where there is none.
        bins: (2, BINS) number of pixels of each bin of the reliability diagram, by class.
        bin_sums: (BINS,) sum of the probabilities of each bin.
        squares: Sum over pixels of the squared difference between probability and class.
        dice: (THRESHOLDS + 1,) sum over images at each threshold from 0 to 1.
        jaccard: (THRESHOLDS + 1,) sum over images at each threshold from 0 to 1.
    """

    def __init__(self) -> None:
        self.images = 0
        self.pixels: Counts = np.zeros((2, LEVELS), np.int64)
        self.lowest: Floats32 = np.full(LEVELS, np.inf, np.float32)
        self.highest: Floats32 = np.full(LEVELS, -np.inf, np.float32)
        self.bins: Counts = np.zeros((2, BINS), np.int64)
        self.bin_sums: Floats = np.zeros(BINS)
        self.squares = 0.0
        self.dice: Floats = np.zeros(THRESHOLDS + 1)
        self.jaccard: Floats = np.zeros(THRESHOLDS + 1)

    @classmethod
    def of_images(cls, *images: ImageProbabilities) -> Self:
        """Adds images up."""
        counts = cls()
        for image in images:
            counts.add(image)
        return counts

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
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lowest = np.minimum(self.lowest, other.lowest)
        self.highest = np.maximum(self.highest, other.highest)

    def examples(self) -> tuple[Counts, Floats32, Floats]:
        """Returns class, probability and number of pixels, (n,) each, of every level that occurs, for TensorBoard."""
        truth, level, weight = self._examples()
        return truth, self.highest[level], weight

    def _examples(self) -> tuple[Counts, Counts, Floats]:
        """Returns class, level and number of pixels of every level that occurs, as scikit-learn takes them."""
        levels = np.flatnonzero(self.pixels.any(axis=0))
        return np.repeat([0, 1], len(levels)), np.tile(levels, 2), self.pixels[:, levels].ravel().astype(float)

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

    @property
    def _unsure(self) -> NDArray[np.bool_]:
        """Marks the levels in which the order of skin and lesion is lost: (LEVELS,)."""
        return (self.lowest < self.highest) & self.pixels.all(axis=0)

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
            for number in range(BINS)
            if totals[number] > 0
        ]


def _calibration_error(calibration: Sequence[CalibrationBin]) -> float:
    """Averages the distance between frequency and confidence over pixels."""
    total = sum(part.pixels for part in calibration)
    return sum(part.pixels * abs(part.confidence - part.frequency) for part in calibration) / total


def thinned(points: Floats) -> Floats:
    """Leaves out points of a curve so that the rest, joined by lines, runs as before (Douglas & Peucker 1973).

    Args:
        points: (2, n) coordinates about 0 to 1, n at least 1.

    Returns:
        (2, m), in order, m at most MOST_POINTS, within DEVIATION of the curve where so many points are enough.
    """
    deviation = DEVIATION
    kept = _simplified(points, deviation)
    while len(kept) > MOST_POINTS:
        deviation *= 1.2
        kept = _simplified(points, deviation)
    return kept.T.round(6)


def _simplified(points: Floats, deviation: float) -> Floats:
    return cv2.approxPolyDP(points.T.astype(np.float32)[:, np.newaxis], deviation, False)[:, 0].astype(float)
