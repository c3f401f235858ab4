"""Draws the outlines of ground truth and prediction on photographs, and sheets of such pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]

TRUTH = (0, 200, 83)
"""RGB green."""
PREDICTION = (255, 64, 200)
"""RGB pink. Neither colour occurs in skin and lesions, and colour-blind readers tell the two by lightness."""
TILE = 256
"""Height and width of one picture of a sheet, in pixels."""
CAPTION = 22
"""Height of the line of text above each picture, in pixels."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


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


def sample_sheet(
    images: Sequence[Array],
    targets: Sequence[Array],
    predictions: Sequence[Array],
    captions: Sequence[str],
    *,
    note: str,
) -> Array:
    """Lays out samples, two a row and each without and with outlines, below a legend.

    Args:
        images: Each (H, W, 3) uint8 RGB.
        targets: Each (H, W) in {0, 1}.
        predictions: Each (H, W) in {0, 1}.
        captions: A short line for each.
        note: A line below the legend about all samples, in ASCII.

    Returns:
        The sheet, (height, width, 3) uint8 RGB.
    """
    pairs = [_pair(*sample) for sample in zip(images, targets, predictions, captions, strict=True)]
    if len(pairs) % 2:
        pairs.append(np.full_like(pairs[0], 255))
    rows = [np.hstack([_margin(left), _margin(right)]) for left, right in zip(pairs[::2], pairs[1::2], strict=True)]
    width = rows[0].shape[1]
    return np.vstack([legend(width), _line(note, width), *rows])


def _line(text: str, width: int) -> Array:
    """Writes text on a strip of (CAPTION, width, 3), in the largest size that fits."""
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    (needed, _), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(0.45, (width - 16) / max(needed, 1))
    cv2.putText(strip, text, (8, CAPTION - 7), FONT, scale, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


def _pair(image: Array, target: Array, prediction: Array, caption: str) -> Array:
    """Draws one sample: (CAPTION + TILE, 2 TILE, 3)."""
    photograph = _enlarge(image, cv2.INTER_CUBIC)
    # Masks that are enlarged first have thin, smooth outlines at any size of the network.
    outlines = draw_contours(photograph, _enlarge_mask(target), _enlarge_mask(prediction), thickness=2)
    head = np.full((CAPTION, 2 * TILE, 3), 255, np.uint8)
    cv2.putText(head, caption, (2, CAPTION - 7), FONT, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([head, np.hstack([photograph, outlines])])


def _enlarge(image: Array, interpolation: int) -> Array:
    return np.asarray(cv2.resize(image, (TILE, TILE), interpolation=interpolation), np.uint8)


def _enlarge_mask(mask: Array) -> Array:
    return (_enlarge(mask.astype(np.uint8) * np.uint8(255), cv2.INTER_LINEAR) > 127).astype(np.uint8)


def _margin(tile: Array) -> Array:
    return np.pad(tile, ((2, 6), (6, 6), (0, 0)), constant_values=255)


def legend(width: int) -> Array:
    """Draws a strip of (28, width, 3) that explains the colours."""
    strip = np.full((28, width, 3), 255, np.uint8)
    for left, (name, colour) in zip((8, 110), (("truth", TRUTH), ("prediction", PREDICTION)), strict=True):
        cv2.line(strip, (left, 14), (left + 28, 14), colour, 3, cv2.LINE_AA)
        cv2.putText(strip, name, (left + 36, 19), FONT, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return strip
