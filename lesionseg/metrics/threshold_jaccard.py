"""Threshold Jaccard index."""

from typing import Any

from lesionseg.metrics.formula import Counts, Formula
from lesionseg.metrics.jaccard import Jaccard


class ThresholdJaccard(Formula):
    r"""Jaccard index where an image below the threshold counts 0: ISIC 2018's ranking score.

    $$ J_t = J \text{ if } J \ge t \text{ else } 0 $$

    Range [0, 1], never above the `Jaccard` index. An image at exactly the threshold keeps its score. Empty truth and
    empty prediction: 1; one of the two empty: 0.

    Source: Codella et al., Skin Lesion Analysis Toward Melanoma Detection 2018, arXiv 1902.03368, task 1;
    `binary_threshold_jaccard` in ImageMarkup/isic-challenge-scoring.

    Args:
        threshold: Smallest Jaccard index that counts, in [0, 1].

    Raises:
        ValueError: If the threshold is outside [0, 1].

    Example:
        >>> ThresholdJaccard(threshold=0.65).score(Counts(1, 0, 1, 2))  # a Jaccard index of 0.5 is a failure
        0.0
    """

    title = "threshold Jaccard"

    def __init__(self, *, threshold: float) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"ThresholdJaccard got threshold={threshold}; give a number in [0, 1]; ISIC has 0.65.")
        self.threshold = threshold
        self.meaning = f"Jaccard where it is at least {threshold:g}, else 0."

    def score(self, counts: Counts) -> Any:
        """Scores each image."""
        jaccard = Jaccard().score(counts)
        return jaccard * (jaccard >= self.threshold)
