"""Confusion matrix."""

import torch
from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts


class ConfusionMatrix(PixelCounts):
    """Pixel counts by true class (rows) and predicted class (columns), pooled over all images.

    Background first, as in scikit-learn: [[TN, FP], [FN, TP]]. (2, 2) int64, so it cannot be logged as a scalar.
    Defined for every image, empty or not. Input: see `PixelCounts.update`. Nothing seen: all 0.

    Example:
        >>> metric = ConfusionMatrix()
        >>> target = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()
        tensor([[2, 0],
                [1, 1]])
    """

    higher_is_better = None

    def score(self, counts: Counts) -> Tensor:
        """Arrange the counts of each of N images; (N, 2, 2) int64."""
        truly_background = torch.stack([counts.true_negatives, counts.false_positives], 1)
        truly_lesion = torch.stack([counts.false_negatives, counts.true_positives], 1)
        return torch.stack([truly_background, truly_lesion], 1)

    def compute(self) -> Tensor:
        """Add up all images; (2, 2) int64."""
        return self.per_image().sum(0)
