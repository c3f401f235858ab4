"""Pixel accuracy."""

from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts, ratio


class Accuracy(PixelCounts):
    r"""Part of the pixels that are right, per image, then the mean over images.

    $$ A = \frac{TP + TN}{TP + TN + FP + FN} $$

    Range [0, 1], higher is better. Defined for every image, empty or not; an empty prediction of a lesion on a tenth
    of the image already scores 0.9. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Example:
        >>> import torch
        >>> metric = Accuracy()
        >>> target = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 3 of 4
        tensor(0.7500)
    """

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        right = counts.true_positives + counts.true_negatives
        return ratio(right, right + counts.false_positives + counts.false_negatives, undefined=1.0)
