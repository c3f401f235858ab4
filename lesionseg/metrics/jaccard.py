"""Jaccard index."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


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
