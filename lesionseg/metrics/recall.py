"""Recall."""

from torch import Tensor

from lesionseg.metrics.counts import Counts, PixelCounts, ratio


class Recall(PixelCounts):
    r"""Part of the true lesion that is found, per image, then the mean over images.

    $$ R = \frac{TP}{TP + FN} $$

    Clinicians and the ISIC challenge call it `Sensitivity`. Range [0, 1], higher is better. Empty truth: 1, as the ISIC
    challenge has it, whatever is predicted. Input: see `PixelCounts.update`. Nothing seen: NaN.

    Example:
        >>> import torch
        >>> metric = Recall()
        >>> target = torch.tensor([[1, 1], [1, 1]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 1 of 4
        tensor(0.2500)
    """

    def score(self, counts: Counts) -> Tensor:
        """Score each of N images; (N,) float32."""
        return ratio(counts.true_positives, counts.true_positives + counts.false_negatives, undefined=1.0)
