"""Focal loss."""

import math

from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from lesionseg.loss.pixels import pixel_rows


class FocalLoss(nn.Module):
    r"""Cross-entropy that fades on pixels already right, averaged over all pixels of the batch.

    $$ L = -\frac{1}{N} \sum_i \left[ \alpha\, g_i (1 - p_i)^\gamma \log p_i
           + (1 - \alpha)(1 - g_i)\, p_i^\gamma \log(1 - p_i) \right], \quad p_i = \sigma(z_i) $$

    with logits z, mask g, the weight alpha of lesion pixels in [0, 1] and the focus gamma from 0: at 2, a pixel with
    probability 0.9 for its class weighs 1 / 100; gamma = 0 and alpha = 0.5 give half of `BCELoss`.

    Range: 0 and up. Empty mask: 0 for a confident empty prediction. It leaves probabilities less calibrated than
    cross-entropy does: check the threshold.

    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equation 5, averaged over pixels where they
    divide by the number of assigned anchors.

    Example:
        >>> import torch
        >>> logits, mask = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
        >>> FocalLoss(alpha=0.25, gamma=2.0)(logits, mask)  # 0.25 * 0.5 ** 2 * log 2
        tensor(0.0433)
    """

    def __init__(self, *, alpha: float, gamma: float) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f"FocalLoss got alpha={alpha}; give the lesion's weight in [0, 1], such as 0.5.")
        if not 0 <= gamma < math.inf:
            raise ValueError(f"FocalLoss got gamma={gamma}; give a finite number from 0, such as 2.0.")
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Computes a scalar; see `pixel_rows` for logits and mask."""
        rows, target = pixel_rows(logits, mask)
        log_lesion, log_skin = logsigmoid(rows), logsigmoid(-rows)  # log p and log(1 - p)
        # Powers as exp(gamma * log): x ** gamma has an infinite slope at 0 for gamma < 1, and 0 * infinity is NaN.
        missed = -self.alpha * (self.gamma * log_skin).exp() * log_lesion
        invented = -(1 - self.alpha) * (self.gamma * log_lesion).exp() * log_skin
        return (target * missed + (1 - target) * invented).mean()
