"""Precision."""

from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts, ratio


class Precision(PixelCounts):
    r"""Part of the predicted lesion that is lesion, per image, then the mean over images.

    $$ P = \frac{TP}{TP + FP} $$

    Also called positive predictive value. Range [0, 1], higher is better. Empty prediction: 1 if the truth is empty
    too, else 0, so that missing every lesion never pays; ISIC's own scorer, which does not rank by it, gives 1 for
    both. Empty truth, something predicted: 0. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Example:
        >>> import torch
        >>> metric = Precision()
        >>> target = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 1], [1, 1]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 1 of 4
        tensor(0.2500)
    """

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        nothing_missed = (counts.false_negatives == 0).float()
        return ratio(counts.true_positives, counts.true_positives + counts.false_positives, undefined=nothing_missed)
