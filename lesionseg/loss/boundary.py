"""Boundary loss."""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionseg.loss.pixels import pixel_rows


class BoundaryLoss(nn.Module):
    r"""Wrong probability weighted by its distance from the true contour: per image, then the mean over images.

    $$ L = \frac{1}{N} \sum_i \frac{\phi_i}{d} (p_i - g_i) = \frac{1}{N} \sum_i \frac{|\phi_i|}{d}\, |p_i - g_i| $$

    with probability p, mask g, its `signed_distance` phi, the image's diagonal d in pixels and its N pixels: divided by
    d, the loss is the same at every resolution. It tells a false alarm at the far corner from one pixel too many at the
    rim, which overlap losses do not.

    Range: [0, 1], 0 for a perfect prediction. For a round lesion half as wide as the image: 0.058 at probability 0.5
    everywhere, 0.011 for an empty prediction, 0.0015 for a radius 20 % too large (where Dice loss is 0.18). So it
    needs a weight of about 10 to be felt, and it must not be alone, as a missed lesion costs too little:
    `loss=[bce_dice,boundary]`. Empty mask or full mask: there is no contour, so 0 with zero gradient.

    The distance maps are computed on the CPU at each step (about 2 ms for 256 x 256); on a GPU the masks are copied
    back, which waits for the device. A mask that is not binary is cut above 0.5.

    Source: Kervadec et al., Boundary loss for highly unbalanced segmentation, MIDL 2019 and Medical Image Analysis 67,
    2021, section 2. They drop the constant sum of phi * g, which leaves the gradient alone but makes the best value a
    negative number that differs from image to image; it is kept here.

    Example:
        >>> mask = torch.zeros(1, 1, 3, 4)
        >>> mask[..., 0] = 1  # a lesion at the left edge; columns at -0.5, 0.5, 1.5 and 2.5 pixels
        >>> BoundaryLoss()(torch.full((1, 1, 3, 4), 100.0), mask)  # (0.5 + 1.5 + 2.5) / 4 columns / diagonal 5
        tensor(0.2250)
    """

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Computes a scalar; see `pixel_rows` for logits and mask."""
        rows, target = pixel_rows(logits, mask)
        diagonal = math.hypot(*mask.shape[-2:])
        distance = _distance_rows(mask).to(rows.device) / diagonal  # (B, H * W)
        return (distance * (rows.sigmoid() - target)).mean()


def _distance_rows(mask: Tensor) -> Tensor:
    """Turns a mask (B, 1, H, W) into signed distances (B, H * W) in pixels, on the CPU."""
    lesions = (mask[:, 0] > 0.5).cpu().numpy()
    return torch.from_numpy(np.stack([signed_distance(lesion) for lesion in lesions])).flatten(1)


def signed_distance(lesion: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Measures how far each pixel of (H, W) is from the contour, negative inside; all 0 for an empty or a full mask.

    The contour runs between pixels, so the pixels on its two sides are at -0.5 and 0.5 (Kervadec's code has 0 and 1).
    Distances are Euclidean, to the nearest pixel centre of the other class less half a pixel.

    Example:
        >>> signed_distance(np.array([[False, True, True, True]]))
        array([[ 0.5, -0.5, -1.5, -2.5]], dtype=float32)
    """
    if lesion.all() or not lesion.any():
        return np.zeros(lesion.shape, np.float32)
    inside, outside = _distance_to_zero(lesion), _distance_to_zero(~lesion)
    return np.where(lesion, 0.5 - inside, outside - 0.5).astype(np.float32)


def _distance_to_zero(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Measures the exact Euclidean distance from each pixel to the nearest False one."""
    distance = cv2.distanceTransform(pixels.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)
