"""Resizing images and masks to the network's square."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]


def resize_image(image: Array, size: int) -> Array:
    """Resizes (H, W, 3) or (H, W) to (size, size).

    A side that is longer shrinks first, by averaging over areas, so that hairs do not alias; a shorter one is enlarged
    after that. OpenCV would do neither at once: where one side grows, it averages over nothing.
    """
    image = _shrunk(_halved(image, size), size)
    if image.shape[:2] == (size, size):
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def resize_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W), 0 outside the lesion, to (size, size) in {0, 1}: lesion where at least half of the area is."""
    return resize_white_mask(cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1], size)  # type: ignore[arg-type]


def resize_white_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W) in {0, 255} as `resize_mask` does."""
    return cv2.threshold(resize_image(mask, size), 127, 1, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def _shrunk(image: Array, size: int) -> Array:
    """Shrinks each side that is longer than `size` to it."""
    height, width = image.shape[:2]
    if max(height, width) <= size:
        return image
    return cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _halved(image: Array, size: int) -> Array:
    """Halves while at least three times `size` is left, which takes a tenth of averaging over any other area.

    At half of an even size bilinear interpolation is the average of 2 x 2 pixels; at half of an odd one it keeps the
    picture where it is, as leaving out a row would not.
    """
    while min(image.shape[:2]) >= 3 * size:
        height, width = (side // 2 for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return image
