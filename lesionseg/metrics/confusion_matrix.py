"""Confusion matrix."""

from typing import Any

from lesionseg.metrics.formula import Counts, Formula


class ConfusionMatrix(Formula):
    """Pixel counts by true class (rows) and predicted class (columns), summed over all images.

    Background first, as in scikit-learn. It is no single number, so no table of scores has it.

    Example:
        >>> ConfusionMatrix().score(Counts(1, 0, 1, 2))
        ((2, 0), (1, 1))
    """

    title = "confusion matrix"
    meaning = "Pixels by true class (rows) and predicted class (columns), background first."
    higher_is_better = None
    is_pooled = True

    def score(self, counts: Counts) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Returns ((TN, FP), (FN, TP))."""
        return (counts.true_negatives, counts.false_positives), (counts.false_negatives, counts.true_positives)
