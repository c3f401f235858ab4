"""Specificity."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


class Specificity(Fraction):
    r"""Share of the true background that is left alone.

    $$ S = \frac{TN}{TN + FP} $$

    Range [0, 1]; high for any small prediction, as most pixels are background. No background in the truth: 1, as in the
    ISIC challenge, whatever is predicted.

    Example:
        >>> Specificity().score(Counts(1, 1, 0, 3))  # 3 of 4
        0.75
    """

    title = "specificity"
    meaning = "TN / (TN + FP); 1 where all of the image is lesion."

    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns TN and TN + FP."""
        return counts.true_negatives, counts.true_negatives + counts.false_positives
