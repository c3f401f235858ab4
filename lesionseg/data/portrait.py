"""A picture as it is compared with others: small, grey, and without what the camera or a program put around it.

Black bars, the black surround of a round field of view and the corners of a turned picture are alike in all pictures
that have them, and say nothing about the lesion.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.resize import resize_image

Pixels = NDArray[np.uint8]

SIDE = 128
"""Height and width of a portrait in pixels."""
DARKEST = 40
"""Grey levels under which a border may be a frame,"""
DARKER = 0.3
"""if they are also under this share of the picture's bright parts."""
EVEN = 2
"""Grey levels by which neighbours in a bar of one colour differ at most."""
LEAST = 0.01
"""Share of the picture that a bar of one colour takes at least."""
FILLING = 0.95
"""Share of height and width from which a field of view is not cut out."""
SOFT = 2
"""Pixels at the edge of a frame that are a mix of both sides."""


class Portrait(NamedTuple):
    """A small picture and what of it shows skin."""

    grey: Pixels
    """(SIDE, SIDE) uint8 levels."""
    field: Pixels
    """(SIDE, SIDE) uint8, 1 in the field of view and 0 in a frame around it."""


def portrait(pixels: Pixels) -> Portrait:
    """Makes the portrait of a (H, W, 3) uint8 RGB picture, cut to its field of view and stretched to a square."""
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    small = resize_image(grey, SIDE)
    field = field_of_view(small)
    left, top, width, height = cv2.boundingRect(field)
    if width * height > 0 and min(width, height) < FILLING * SIDE:
        rows, columns = (_part(top, height, grey.shape[0]), _part(left, width, grey.shape[1]))
        small = resize_image(np.ascontiguousarray(grey[rows, columns]), SIDE)
        field = field_of_view(small)
    return Portrait(small, field)


def field_of_view(grey: Pixels) -> Pixels:
    """Finds what is not frame: (H, W) uint8 levels, about SIDE a side -> (H, W) uint8 in {0, 1}.

    A frame touches the border, and is black or of one even colour. What it surrounds is convex (a rectangle, a circle,
    a turned square), so a dark lesion that reaches the border in one place is given back to the picture.
    """
    square = np.ones((3, 3), np.uint8)
    dark = grey < min(DARKEST, DARKER * float(np.percentile(grey, 90)))
    even = cv2.dilate(grey, square).astype(np.int16) - cv2.erode(grey, square) <= EVEN
    frame = np.any([*_at_border(dark), *(bar for bar in _at_border(even) if _is_bar(bar, grey))], axis=0)
    if not np.any(frame):
        return np.ones_like(grey)
    closed = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_CLOSE, square)
    inside = cv2.morphologyEx(1 - closed, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    hull = _convex(np.asarray(inside, np.uint8))
    return cv2.erode(hull, np.ones((2 * SOFT + 1, 2 * SOFT + 1), np.uint8), borderValue=1)  # type: ignore[return-value]


def _part(start: int, length: int, whole: int) -> slice:
    """Converts a stretch of a portrait's side to the original's pixels."""
    return slice(start * whole // SIDE, max((start + length) * whole // SIDE, start * whole // SIDE + 1))


def _at_border(region: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Lists the connected pieces of a region that touch the border."""
    labels = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)[1]
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return [labels == label for label in border if label > 0]


def _is_bar(piece: NDArray[np.bool_], grey: Pixels) -> bool:
    """Tells one colour from smooth skin, whose light falls off."""
    return bool(piece.mean() > LEAST and grey[piece].std() < EVEN / 2)


def _convex(region: Pixels) -> Pixels:
    """Fills the convex hull of a region's largest piece; nothing where there is none."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(region, connectivity=4)
    filled = np.zeros_like(region)
    if count > 1:
        largest = 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
        points = cv2.findNonZero((labels == largest).astype(np.uint8))
        cv2.fillConvexPoly(filled, cv2.convexHull(points), (1,))
    return filled
