"""Jaccard index: per image, pooled, and with the ISIC 2018 challenge's threshold below which an outline has failed."""

from typing import Any

from lesionseg.metrics.formula import Counts, Formula, Fraction


class Jaccard(Fraction):
    r"""Intersection over union, the ISIC challenge's ranking score until 2017.

    $$ J = \frac{TP}{TP + FP + FN} = \frac{D}{2 - D} $$

    with the image's Dice D (the identity does not hold for the means). Lesion class only: the mean of lesion and
    background IoU that other tools call mIoU is higher. Range [0, 1]. Empty truth and empty prediction: 1; one of the
    two empty: 0.

    Example:
        >>> Jaccard().score(Counts(1, 0, 1, 2))  # 1 / (1 + 0 + 1)
        0.5
    """

    title = "Jaccard (IoU)"
    meaning = "TP / (TP + FP + FN); 1 where both are empty."

    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns TP and TP + FP + FN."""
        return counts.true_positives, counts.true_positives + counts.false_positives + counts.false_negatives


class PooledJaccard(Jaccard):
    """`Jaccard` of the counts summed over all images; see `lesionseg.metrics.dice.PooledDice`."""

    title = "pooled Jaccard"
    is_pooled = True


class ThresholdJaccard(Formula):
    r"""Jaccard index where an image below the threshold counts 0: ISIC 2018's ranking score.

    $$ J_t = J \text{ if } J \ge t \text{ else } 0 $$

    Range [0, 1], never above `Jaccard`, whose values for empty masks it has. The threshold is in [0, 1]; an image at
    exactly the threshold keeps its score.

    Source: Codella et al., Skin Lesion Analysis Toward Melanoma Detection 2018, arXiv 1902.03368, task 1;
    `binary_threshold_jaccard` in ImageMarkup/isic-challenge-scoring.

    Example:
        >>> ThresholdJaccard(threshold=0.65).score(Counts(1, 0, 1, 2))  # a Jaccard index of 0.5 is a failure
        0.0
    """

    title = "threshold Jaccard"

    def __init__(self, *, threshold: float) -> None:
        self.threshold = _checked_threshold(self, threshold)
        self.meaning = f"Jaccard where it is at least {threshold:g}, else 0."

    def score(self, counts: Counts) -> Any:
        """Scores each image."""
        jaccard = Jaccard().score(counts)
        return jaccard * (jaccard >= self.threshold)


class Failure(Formula):
    """1 for an image whose Jaccard index is below the threshold in [0, 1], else 0; the mean is the failure rate.

    Below 0.65 the ISIC 2018 challenge counts an image 0, as a human would call the outline wrong.

    Example:
        >>> Failure(threshold=0.65).score(Counts(1, 0, 1, 2))  # a Jaccard index of 0.5
        1.0
    """

    title = "failure rate"
    higher_is_better = False

    def __init__(self, *, threshold: float) -> None:
        self.threshold = _checked_threshold(self, threshold)
        self.meaning = f"1 where Jaccard is below {threshold:g}, else 0."

    def score(self, counts: Counts) -> Any:
        """Scores each image."""
        return 1.0 * (Jaccard().score(counts) < self.threshold)


def _checked_threshold(formula: Formula, threshold: float) -> float:
    if not 0 <= threshold <= 1:
        name = type(formula).__name__
        raise ValueError(f"{name} got threshold={threshold}; give a number in [0, 1]; ISIC has 0.65.")
    return threshold
