"""Failure rate."""

from typing import Any

from lesionseg.metrics.formula import Counts, Formula
from lesionseg.metrics.jaccard import Jaccard


class Failure(Formula):
    """1 for an image whose Jaccard index is below the threshold, else 0; the mean is the failure rate.

    Below 0.65 the ISIC 2018 challenge counts an image 0, as a human would call the outline wrong.

    Args:
        threshold: Smallest Jaccard index that is no failure, in [0, 1].

    Raises:
        ValueError: If the threshold is outside [0, 1].

    Example:
        >>> Failure(threshold=0.65).score(Counts(1, 0, 1, 2))  # a Jaccard index of 0.5
        1.0
    """

    title = "failure rate"
    higher_is_better = False

    def __init__(self, *, threshold: float) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"Failure got threshold={threshold}; give a number in [0, 1]; ISIC has 0.65.")
        self.threshold = threshold
        self.meaning = f"1 where Jaccard is below {threshold:g}, else 0."

    def score(self, counts: Counts) -> Any:
        """Scores each image."""
        return 1.0 * (Jaccard().score(counts) < self.threshold)
