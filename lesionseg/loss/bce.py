"""Binary cross-entropy."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lesionseg.loss.pixels import pixel_rows


class BCELoss(nn.Module):
    r"""Binary cross-entropy of every pixel, averaged over all pixels of the batch.

    $$ L = -\frac{1}{N} \sum_i \left[ w\, g_i \log p_i + (1 - g_i) \log(1 - p_i) \right], \quad p_i = \sigma(z_i) $$

    with logits z, mask g and positive weight w. All images of a batch have the same size, so the mean over pixels and
    the mean over images are the same number. Computed from the logits, so logits of +-100 give a loss of 100, not
    infinity.

    Empty mask: the mean of -log(1 - p), which is 0 for a confident empty prediction. Range: 0 and up, in nats.

    The gradient is (p - g) / N for w = 1, never more than 1 / N for one pixel: stable from the first step, but a small
    lesion counts as little as its pixels do. Combine with `DiceLoss` or `LovaszLoss`.

    Args:
        positive_weight: Factor on lesion pixels, above 0; 1 treats both classes alike, more favours recall.

    Raises:
        ValueError: If the weight is not a positive finite number.

    Example:
        >>> logits, mask = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
        >>> BCELoss(positive_weight=1.0)(logits, mask)  # log 2
        tensor(0.6931)
    """

    positive_weight: Tensor

    def __init__(self, *, positive_weight: float) -> None:
        super().__init__()
        if not 0 < positive_weight < math.inf:
            raise ValueError(f"BCELoss got positive_weight={positive_weight}; give a finite number above 0.")
        # Not persistent: a checkpoint must open whatever loss it was trained with.
        self.register_buffer("positive_weight", torch.tensor(float(positive_weight)), persistent=False)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, 1, H, W) logits against a (B, 1, H, W) mask (see `pixel_rows`); scalar float32."""
        rows, target = pixel_rows(logits, mask)
        return binary_cross_entropy_with_logits(rows, target, pos_weight=self.positive_weight)
