"""Draws the outlines of ground truth and prediction on photographs."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]

TRUTH = (0, 200, 83)
"""RGB green."""
PREDICTION = (255, 64, 200)
"""RGB pink. Neither colour occurs in skin and lesions, and colour-blind readers tell the two by lightness."""


def draw_contours(image: Array, target: Array, prediction: Array, *, thickness: int) -> Array:
    """Draws the outlines of the ground truth (green) and of the prediction (pink).

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        target: (H, W) in {0, 1}.
        prediction: (H, W) in {0, 1}.
        thickness: Thickness of the lines in pixels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    drawn = image.copy()
    for mask, colour in ((target, TRUTH), (prediction, PREDICTION)):
        draw_outline(drawn, mask, colour, thickness=thickness)
    return drawn


def draw_outline(image: Array, mask: Array, colour: tuple[int, int, int], *, thickness: int) -> None:
    """Draws the outline of a mask, holes included, into the image itself.

    Args:
        image: (H, W, 3) uint8 RGB; changed.
        mask: (H, W), 0 outside.
        colour: RGB 0..255.
        thickness: Thickness of the line in pixels.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8, copy=False), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, contours, -1, colour, thickness, cv2.LINE_AA)
