"""Jaccard index."""

from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts, ratio


class Jaccard(PixelCounts):
    r"""Intersection over union, per image, then the mean over images: the ISIC challenge's ranking score until 2017.

    $$ J = \frac{TP}{TP + FP + FN} = \frac{D}{2 - D} $$

    with the image's Dice D (the identity does not hold for the means). Lesion class only: the mean of lesion and
    background IoU that other tools call mIoU is higher. Range [0, 1], higher is better. Empty truth and empty
    prediction: 1; one of the two empty: 0. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Example:
        >>> import torch
        >>> metric = Jaccard()
        >>> target = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 1 / (1 + 0 + 1)
        tensor(0.5000)
    """

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        union = counts.true_positives + counts.false_positives + counts.false_negatives
        return ratio(counts.true_positives, union, undefined=1.0)
