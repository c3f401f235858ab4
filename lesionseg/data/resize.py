"""Resizes images and masks to the network's square."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]


def resize_image(image: Array, size: int) -> Array:
    """Resizes (H, W, 3) or (H, W) to (size, size).

    A longer side shrinks first, by averaging over areas, so that hairs do not alias; then a shorter side is enlarged.
    OpenCV cannot do both at once: if one side grows, it averages over no area.
    """
    image = _halved(image, size)
    height, width = image.shape[:2]
    if max(height, width) > size:
        image = cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if image.shape[:2] == (size, size):
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def resize_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W), 0 outside the lesion, to (size, size) in {0, 1}: 1 if at least half of the area is lesion."""
    return resize_white_mask(cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1], size)  # type: ignore[arg-type]


def resize_white_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W) in {0, 255} as `resize_mask` does."""
    return cv2.threshold(resize_image(mask, size), 127, 1, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def _halved(image: Array, size: int) -> Array:
    """Halves while at least three times `size` is left, which takes a tenth of the time of averaging over other areas.

    At half of an even size bilinear interpolation averages 2 x 2 pixels; at half of an odd size it does not shift the
    picture, as leaving out a row would.
    """
    while min(image.shape[:2]) >= 3 * size:
        height, width = (side // 2 for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return image
