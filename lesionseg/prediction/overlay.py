"""Overlays: the outline of a prediction on its photograph."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.masks import PREDICTION, draw_outline

Array = NDArray[np.uint8]

EDGE = (60, 0, 45)
"""RGB of the line's rim, a dark pink, so that one of the two stands out from any skin."""
LINES_ACROSS = 250
"""Ratio of the picture's shorter side to the line's thickness."""


def draw_overlay(pixels: Array, mask: Array) -> Array:
    """Draws the outline of a predicted mask on its photograph.

    The line's thickness is proportional to the picture's size, so that a reduced picture looks like a large one.

    Args:
        pixels: (h, w, 3) uint8 RGB, perhaps at a reduced scale; left as it is.
        mask: (H, W) uint8, 0 outside the lesion, of the same picture at any scale.

    Returns:
        (h, w, 3) uint8 RGB; the photograph itself where nothing was predicted.
    """
    height, width = pixels.shape[:2]
    white = cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1]
    if white.shape != (height, width):
        reduced = cv2.resize(white, (width, height), interpolation=cv2.INTER_AREA)
        white = cv2.threshold(reduced, 127, 255, cv2.THRESH_BINARY)[1]
    thickness = max(2, round(min(height, width) / LINES_ACROSS))  # a smoothed line of 1 is but a shade
    drawn = pixels.copy()
    rim = max(2, 2 * round(thickness / 3))
    draw_outline(drawn, np.asarray(white, np.uint8), EDGE, thickness=thickness + rim)
    draw_outline(drawn, np.asarray(white, np.uint8), PREDICTION, thickness=thickness)
    return drawn
