"""Numbers that describe an image and its lesion, which show on what kind of image a method does well."""

from collections.abc import Iterable
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.uint8]
LONGER_SIDE = 256  # pixels, the size at which colours are compared and hairs found; lengths below are at this size
RING = (5, 26)  # begin and end of the lesion's surroundings: past the blurred border, before the next structure
DARKEST_SKIN = 30  # grey level below which a pixel, in R, G and B alike, is the camera's black surround
LEAST_SKIN = 0.05  # share of the image below which there is too little skin to find hair in
HAIR_CONTRAST = 12  # grey levels by which a hair is darker than the skin on both sides, but not than itself further on
HAIR_WIDTH = 7  # width from which a dark line is drawn by a pen or is the lesion's border
HAIR_EXTENT = 25  # least diagonal of a hair's bounding box
MARGIN = 5  # width of the frame in which the image's edge may look like a line


def _lines(length: int, count: int) -> list[Array]:
    """Draws lines (length, length) through the centre in `count` directions, evenly over half a turn."""
    lines = []
    for angle in np.arange(count) * np.pi / count:
        step = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
        start, end = (np.round((length - 1) / 2 + sign * step).astype(int).tolist() for sign in (-1, 1))
        lines.append(np.asarray(cv2.line(np.zeros((length, length), np.uint8), start, end, 1), np.uint8))
    return lines


ACROSS = _lines(9, 8)
ALONG = _lines(17, 12)
SMALL, THICK = np.ones((3, 3), np.uint8), np.ones((HAIR_WIDTH, HAIR_WIDTH), np.uint8)


def lesion_traits(target: Array) -> dict[str, float | None]:
    """Describes a mask (H, W) in {0, 1} by `lesion_share`, 0..1, and `touches_border`, both 0 for an empty mask.

    The latter is 1.0 where the lesion has a pixel in the image's outermost rows or columns, else 0.0.
    """
    border = target[0].any() or target[-1].any() or target[:, 0].any() or target[:, -1].any()
    return {"lesion_share": cv2.countNonZero(target) / target.size, "touches_border": float(border)}


def image_traits(image: Array, target: Array) -> dict[str, float | None]:
    """Describes a photograph (h, w, 3) RGB 0..255 with its mask (h, w) in {0, 1}, both reduced to 256 pixels a side.

    Returns:
        `contrast`, the distance in CIE Lab (Delta E 1976, 0 to about 100) of the median colours of the lesion and of a
        ring around it; None where there is no lesion or no skin around it. `hair`, the estimated share of the skin
        around the lesion that thin dark lines cover, 0..1; None where there is hardly any skin.
    """
    image, target = _reduce(image, target)
    return {"contrast": _contrast(image, target), "hair": _hair(image, target)}


def _reduce(image: Array, target: Array) -> tuple[Array, Array]:
    scale = LONGER_SIDE / max(target.shape)
    if scale >= 1:
        return image, target
    size = [max(round(side * scale), 1) for side in reversed(target.shape)]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), np.asarray(cv2.resize(target, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _contrast(image: Array, target: Array) -> float | None:
    if not target.any():
        return None
    away = cv2.distanceTransform(1 - target, cv2.DIST_L2, 3)
    surround = cv2.inRange(image, (0, 0, 0), (DARKEST_SKIN - 1,) * 3)
    ring = cv2.subtract(cv2.inRange(away, RING[0], RING[1]), surround)
    if not ring.any():
        return None
    colours = np.array([[_median_colour(image, where) for where in (target, ring)]], np.float32)
    lesion, skin = cv2.cvtColor(colours / 255, cv2.COLOR_RGB2Lab)[0]
    return float(np.linalg.norm(lesion - skin))


def _median_colour(image: Array, where: cv2.typing.MatLike) -> list[int]:
    """Returns the lower median of each channel from histograms; sorting would take ten times as long."""
    counts = [cv2.calcHist([image], [channel], where, [256], [0, 256]).cumsum() for channel in range(3)]
    return [int(np.searchsorted(count, count[-1] / 2)) for count in counts]


def _hair(image: Array, target: Array) -> float | None:
    """Finds hair outside the lesion, whose network of pigment looks like hair.

    As in DullRazor (Lee et al., Computers in Biology and Medicine 27, 1997), closing with a line fills a dark hair that
    crosses it. Here a hair must also stay dark along some direction, unlike grain and dots. Scale bars and the outlines
    of stickers count too (a bar is about 0.8 %); white hair and dense mats are missed.
    """
    skin = _skin(target)
    if skin.mean() < LEAST_SKIN:
        return None
    dark = _dark_lines(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8))
    long = _largest(cv2.morphologyEx(dark, cv2.MORPH_OPEN, line) for line in ALONG)
    wide = cv2.dilate(cv2.morphologyEx(dark, cv2.MORPH_OPEN, THICK), SMALL)
    hairs = cv2.bitwise_and(cv2.subtract(long, wide), skin)
    boxes = cv2.connectedComponentsWithStats(hairs)[2]
    extents = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT])
    areas = boxes[1:, cv2.CC_STAT_AREA]  # label 0 is the background
    return float(areas[extents[1:] >= HAIR_EXTENT].sum() / cv2.countNonZero(skin))


def _skin(target: Array) -> Array:
    """Marks pixels (h, w) away from the lesion and from the image's edges with 1."""
    skin = np.asarray(cv2.erode(1 - target, THICK), np.uint8)
    skin[:MARGIN] = skin[-MARGIN:] = 0
    skin[:, :MARGIN] = skin[:, -MARGIN:] = 0
    return skin


def _dark_lines(grey: Array) -> Array:
    """Marks pixels (h, w) with 1 that are dark against one direction and not against another."""
    depths = [np.asarray(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, line), np.uint8) for line in ACROSS]
    contrast = cv2.subtract(_largest(depths), reduce(np.minimum, depths))
    dark = cv2.threshold(contrast, HAIR_CONTRAST, 1, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.morphologyEx(dark, cv2.MORPH_CLOSE, SMALL), np.uint8)


def _largest(images: Iterable[cv2.typing.MatLike]) -> Array:
    return np.asarray(reduce(np.maximum, images), np.uint8)
