"""Dice coefficient, per image and pooled."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


class Dice(Fraction):
    r"""Twice the overlap over the sum of the areas, also called F1 score, of the lesion class only.

    $$ D = \frac{2 TP}{2 TP + FP + FN} $$

    Range [0, 1]. Empty truth and empty prediction: 1, as in the ISIC challenge; one of the two empty: 0.

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


class PooledDice(Dice):
    """`Dice` of the counts summed over all images, as if they were one: large images and large lesions weigh more.

    Not comparable with the per-image mean; shown because many papers report it.
    """

    title = "pooled Dice"
    is_pooled = True
