"""Recall, also under its name in the clinic, sensitivity."""

from typing import Any

from lesionseg.metrics.formula import Counts, Fraction


class Recall(Fraction):
    r"""Share of the true lesion that is found.

    $$ R = \frac{TP}{TP + FN} $$

    Range [0, 1]. Empty truth: 1, as in the ISIC challenge, whatever is predicted.

    Example:
        >>> Recall().score(Counts(1, 0, 3, 0))  # 1 of 4
        0.25
    """

    title = "recall (sensitivity)"
    meaning = "TP / (TP + FN), also called sensitivity; 1 where the truth is empty."

    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns TP and TP + FN."""
        return counts.true_positives, counts.true_positives + counts.false_negatives


class Sensitivity(Recall):
    """`Recall` under the name that the ISIC challenge and clinical papers print beside specificity."""

    title = "sensitivity"
    meaning = "TP / (TP + FN), another name of recall."
