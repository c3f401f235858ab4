"""Threshold Jaccard index."""

import torch
from torch import Tensor

from lesionseg.metrics.counts import Counts
from lesionseg.metrics.jaccard import Jaccard


class ThresholdJaccard(Jaccard):
    r"""Jaccard index where an image below the threshold counts 0, then the mean over images: ISIC 2018's ranking score.

    $$ J_t = J \text{ if } J \ge t \text{ else } 0 $$

    Range [0, 1], higher is better, never above the `Jaccard` index. An image at exactly the threshold keeps its score.
    Empty truth and empty prediction: 1; one of the two empty: 0. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Source: Codella et al., Skin Lesion Analysis Toward Melanoma Detection 2018, arXiv 1902.03368, task 1;
    `binary_threshold_jaccard` in ImageMarkup/isic-challenge-scoring.

    Example:
        >>> metric = ThresholdJaccard(threshold=0.65)
        >>> target = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # a Jaccard index of 0.5 is a failure
        tensor(0.)
    """

    def __init__(self, *, threshold: float) -> None:
        """Take the threshold.

        Args:
            threshold: Smallest Jaccard index that counts, in [0, 1].

        Raises:
            ValueError: If the threshold is outside [0, 1].
        """
        super().__init__()
        if not 0 <= threshold <= 1:
            raise ValueError(f"ThresholdJaccard got threshold={threshold}; give a number in [0, 1]; ISIC has 0.65.")
        self.threshold = threshold

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        jaccard = super().score(counts)
        return torch.where(jaccard >= self.threshold, jaccard, 0.0)
