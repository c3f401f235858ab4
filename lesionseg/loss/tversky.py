"""Tversky and focal Tversky loss."""

import math

from torch import Tensor, nn

from lesionseg.loss.pixels import pixel_rows

SMALLEST_ERROR = 1e-7
"""Smallest error raised to gamma: for gamma < 1 the slope at 0 is infinite, and 0 * infinity is NaN."""


class TverskyLoss(nn.Module):
    r"""Dice loss with separate prices for false alarms and misses: per image first, then the mean over images.

    $$ L = \left( 1 - \frac{TP + s}{TP + \alpha FP + \beta FN + s} \right)^\gamma $$

    with soft counts $TP = \sum_i p_i g_i$, $FP = \sum_i p_i (1 - g_i)$, $FN = \sum_i (1 - p_i) g_i$, $p_i =
    \sigma(z_i)$, logits z, mask g and smoothing s in pixels, above 0. alpha and beta are the prices of a false positive
    and a false negative pixel, 0 and up, not both 0: alpha = beta = 0.5 is `DiceLoss` with twice the smoothing, 1 is
    soft Jaccard. gamma is above 0: 1 is plain Tversky, below 1 pulls harder on images that are nearly right.

    Range: [0, 1]. Empty mask and empty prediction: 0 (at most 6e-6 for gamma = 0.75, see `SMALLEST_ERROR`). Empty mask
    and predicted area P pixels: (alpha P / (alpha P + s)) ^ gamma, nearly flat: see `DiceLoss`.

    Source: Salehi et al., Tversky loss function for image segmentation, MLMI 2017, section 2 (alpha prices false
    positives); Abraham and Khan, A novel focal Tversky loss, ISBI 2019, section 2 (they write the exponent 1 / gamma
    with gamma = 4 / 3, here gamma = 0.75, and their alpha prices false negatives).

    Example:
        >>> import torch
        >>> mask = torch.tensor([[1, 1], [0, 0]]).reshape(1, 1, 2, 2)
        >>> logits = torch.tensor([[100.0, -100.0], [-100.0, -100.0]]).reshape(1, 1, 2, 2)  # half the lesion
        >>> TverskyLoss(alpha=0.3, beta=0.7, gamma=1.0, smooth=0.3)(logits, mask)  # 1 - (1 + 0.3) / (1 + 0.7 + 0.3)
        tensor(0.3500)
    """

    def __init__(self, *, alpha: float, beta: float, gamma: float, smooth: float) -> None:
        super().__init__()
        if not (0 <= alpha < math.inf and 0 <= beta < math.inf and alpha + beta > 0):
            raise ValueError(f"TverskyLoss got alpha={alpha}, beta={beta}; give finite prices from 0, not both 0.")
        if not 0 < gamma < math.inf:
            raise ValueError(f"TverskyLoss got gamma={gamma}; give a finite exponent above 0; 1.0 is plain Tversky.")
        if not 0 < smooth < math.inf:
            raise ValueError(f"TverskyLoss got smooth={smooth}; give a finite number of pixels above 0, such as 1.0.")
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.smooth = smooth

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Computes a scalar; see `pixel_rows` for logits and mask."""
        rows, target = pixel_rows(logits, mask)
        probability = rows.sigmoid()  # (B, H * W)
        true_positives = (probability * target).sum(1)  # (B,)
        false_positives = (probability * (1 - target)).sum(1)  # (B,)
        false_negatives = ((1 - probability) * target).sum(1)  # (B,)
        wrong = self.alpha * false_positives + self.beta * false_negatives
        # wrong / (...) is the formula's 1 - (...), without the cancellation near a perfect prediction.
        error = wrong / (true_positives + wrong + self.smooth)
        return error.clamp_min(SMALLEST_ERROR).pow(self.gamma).mean()
