"""Dice coefficient."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


class Dice(Fraction):
    r"""Twice the overlap over the sum of the areas.

    $$ D = \frac{2 TP}{2 TP + FP + FN} $$

    Also called F1 score. Lesion class only. Range [0, 1]. Empty truth and empty prediction: 1, as in the ISIC
    challenge; one of the two empty: 0.

    Example:
        >>> Dice().score(Counts(1, 0, 1, 2))  # 2 * 1 / (2 * 1 + 0 + 1)
        0.6666666666666666
    """

    title = "Dice (F1)"
    meaning = "2 TP / (2 TP + FP + FN); 1 where truth and prediction are both empty."

    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns 2 TP and 2 TP + FP + FN."""
        overlap = 2 * counts.true_positives
        return overlap, overlap + counts.false_positives + counts.false_negatives
