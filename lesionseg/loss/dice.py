"""Soft Dice loss."""

import math

from torch import Tensor, nn

from lesionseg.loss.pixels import pixel_rows


class DiceLoss(nn.Module):
    r"""One minus the soft Dice overlap: per image first, then the mean over images.

    $$ L = 1 - \frac{2 \sum_i p_i g_i + s}{\sum_i p_i + \sum_i g_i + s}, \quad p_i = \sigma(z_i) $$

    with logits z, mask g and smoothing s in pixels, above 0. Per image, because pooled over a batch, one large lesion
    outweighs all the small ones. A smoothing that is large against a lesion's area flattens the lesion's loss.

    Range: [0, 1]. Empty mask and empty prediction: 0. Empty mask and predicted area P pixels: P / (P + s), so close
    to 1 for any visible false alarm that the gradient is nearly 0 there; another term has to clear such images.

    Source: Milletari et al., V-Net, 3DV 2016, section 3, with plain sums in the denominator instead of squares, as in
    Sudre et al., DLMIA 2017, section 2.1, on the lesion class alone.

    Example:
        >>> import torch
        >>> mask = torch.tensor([[1, 1], [0, 0]]).reshape(1, 1, 2, 2)
        >>> logits = torch.tensor([[100.0, -100.0], [-100.0, -100.0]]).reshape(1, 1, 2, 2)  # half the lesion
        >>> DiceLoss(smooth=1.0)(logits, mask)  # 1 - (2 * 1 + 1) / (1 + 2 + 1)
        tensor(0.2500)
    """

    def __init__(self, *, smooth: float) -> None:
        super().__init__()
        if not 0 < smooth < math.inf:
            raise ValueError(f"DiceLoss got smooth={smooth}; give a finite number of pixels above 0, such as 1.0.")
        self.smooth = smooth

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Computes a scalar; see `pixel_rows` for logits and mask."""
        rows, target = pixel_rows(logits, mask)
        probability = rows.sigmoid()  # (B, H * W)
        overlap = (probability * target).sum(1)  # (B,)
        area = probability.sum(1) + target.sum(1)  # (B,)
        return (1 - (2 * overlap + self.smooth) / (area + self.smooth)).mean()
