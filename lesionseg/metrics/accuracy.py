"""Pixel accuracy."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


class Accuracy(Fraction):
    r"""Share of the pixels that are right.

    $$ A = \frac{TP + TN}{TP + TN + FP + FN} $$

    Range [0, 1]. Defined for every image, empty or not; an empty prediction of a lesion on a tenth of the image already
    scores 0.9.

    Example:
        >>> Accuracy().score(Counts(1, 0, 1, 2))  # 3 of 4
        0.75
    """

    title = "accuracy"
    meaning = "(TP + TN) / all pixels."

    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns TP + TN and the number of pixels."""
        right = counts.true_positives + counts.true_negatives
        return right, right + counts.false_positives + counts.false_negatives
