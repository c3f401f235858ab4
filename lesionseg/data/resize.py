"""Resizing images and masks to the network's square."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]


def resize_image(image: Array, size: int) -> Array:
    """Resizes (H, W, 3) or (H, W) to (size, size), averaging over areas when it shrinks so that hairs do not alias."""
    if image.shape[:2] == (size, size):
        return image
    image = _halved(image, size)
    shrinks = image.shape[0] > size or image.shape[1] > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def resize_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W), 0 outside the lesion, to (size, size) in {0, 1}: lesion where at least half of the area is."""
    return resize_white_mask(cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1], size)  # type: ignore[arg-type]


def resize_white_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W) in {0, 255} as `resize_mask` does."""
    return cv2.threshold(resize_image(mask, size), 127, 1, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def _halved(image: Array, size: int) -> Array:
    """Halves while at least three times `size` is left, which takes a tenth of averaging over any other area.

    At half of an even size bilinear interpolation is the average of 2 x 2 pixels; at half of an odd one it keeps the
    picture where it is, as leaving out a row would not.
    """
    while min(image.shape[:2]) >= 3 * size:
        height, width = (side // 2 for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return image
