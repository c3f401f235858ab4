"""Dice coefficient."""

from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts, ratio


class Dice(PixelCounts):
    r"""Twice the overlap over the sum of the areas, per image, then the mean over images.

    $$ D = \frac{2 TP}{2 TP + FP + FN} $$

    Also called F1 score. Lesion class only. Range [0, 1], higher is better. Empty truth and empty prediction: 1, as the
    ISIC challenge has it; one of the two empty: 0. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Example:
        >>> import torch
        >>> metric = Dice()
        >>> target = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 2 * 1 / (2 * 1 + 0 + 1)
        tensor(0.6667)
    """

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        overlap = 2 * counts.true_positives
        return ratio(overlap, overlap + counts.false_positives + counts.false_negatives, undefined=1.0)
