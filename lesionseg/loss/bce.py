"""Binary cross-entropy."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lesionseg.loss.pixels import pixel_rows


class BCELoss(nn.Module):
    r"""Binary cross-entropy of every pixel, averaged over all pixels of the batch.

    $$ L = -\frac{1}{N} \sum_i \left[ w\, g_i \log p_i + (1 - g_i) \log(1 - p_i) \right], \quad p_i = \sigma(z_i) $$

    with logits z, mask g and positive weight w, which is above 0; more than 1 favours recall. Range: 0 and up, in nats;
    logits of +-100 give 100, not infinity. Empty mask: 0 for a confident empty prediction.

    The gradient of one pixel never exceeds w / N: stable from the first step, but a small lesion counts as little as
    its pixels do. Combine with `DiceLoss` or `LovaszLoss`.

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
        """Computes a scalar; see `pixel_rows` for logits and mask."""
        rows, target = pixel_rows(logits, mask)
        return binary_cross_entropy_with_logits(rows, target, pos_weight=self.positive_weight)
