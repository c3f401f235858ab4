"""Specificity."""

from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts, ratio


class Specificity(PixelCounts):
    r"""Part of the true background that is left alone, per image, then the mean over images.

    $$ S = \frac{TN}{TN + FP} $$

    Range [0, 1], higher is better; high for any small prediction, as most pixels are background. No background in the
    truth: 1, as the ISIC challenge has it, whatever is predicted. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Example:
        >>> import torch
        >>> metric = Specificity()
        >>> target = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 2 of 3
        tensor(0.6667)
    """

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        return ratio(counts.true_negatives, counts.true_negatives + counts.false_positives, undefined=1.0)
