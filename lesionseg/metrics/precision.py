"""Precision."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


class Precision(Fraction):
    r"""Share of the predicted lesion that is lesion, also called positive predictive value.

    $$ P = \frac{TP}{TP + FP} $$

    Range [0, 1]. Empty prediction: 1 if the truth is empty too, else 0, so that missing every lesion never pays; ISIC's
    own scorer, which does not rank by it, gives 1 for both. Empty truth, something predicted: 0.

    Example:
        >>> Precision().score(Counts(1, 3, 0, 0))  # 1 of 4
        0.25
    """

    title = "precision"
    meaning = "TP / (TP + FP); prediction empty: 1 if the truth is too, else 0."

    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns TP and TP + FP."""
        return counts.true_positives, counts.true_positives + counts.false_positives

    def undefined(self, counts: Counts) -> Any:
        """Returns 1 where nothing is missed."""
        return 1.0 * (counts.false_negatives == 0)
