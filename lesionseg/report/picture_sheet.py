"""Lays out photographs with outlines on one sheet, for TensorBoard and other places that show no HTML."""

import io
import re
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.masks import PREDICTION, TRUTH, draw_contours
from lesionseg.metrics.image_scores import ImageScores, Picture

Array = NDArray[np.uint8]

TILE = 256  # pixels, height and width of a picture
CAPTION = 22  # pixels, height of the line of text above a picture
LEGEND = 28  # pixels, height of the legend
EDGE = 4  # pixels, margin around a picture and its caption
COLUMNS = 4  # most worst cases in a row
GROUND = 128  # grey level of a missing photograph
INK = (40, 40, 40)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def sample_sheet(
    images: Sequence[Array],
    targets: Sequence[Array],
    predictions: Sequence[Array],
    captions: Sequence[str],
    *,
    note: str,
) -> Array:
    """Lays out samples, two a row and each without and with both outlines, below a legend and a note in ASCII.

    Images are (H, W, 3) uint8 RGB, as is the sheet; masks are (H, W) in {0, 1}; a caption is a short line.
    """
    samples = zip(images, targets, predictions, captions, strict=True)
    sheet = _sheet([_tile(_without_and_with_outlines(*sample[:3]), sample[3]) for sample in samples], columns=2)
    return np.vstack([_legend(sheet.shape[1]), _line(note, sheet.shape[1]), sheet])


def worst_cases(images: Sequence[ImageScores]) -> Array:
    """Lays out images, at least one and four a row, with both outlines, id and Jaccard index, below a legend.

    An image without a picture leaves its place empty. The sheet is (height, width, 3) uint8 RGB.
    """
    tiles = [_tile(_outlined(image.picture), f"{image.id}  J {image.scores['jaccard']:.3f}") for image in images]
    sheet = _sheet(tiles, columns=min(COLUMNS, len(tiles)))
    return np.vstack([_legend(sheet.shape[1]), sheet])


def outlines(path: str) -> list[NDArray[np.float64]]:
    """Reads SVG path data of straight, closed lines: each (N, 2) as x, y."""
    closed = [part for part in path.split("Z") if part]
    return [np.array(re.findall(r"-?[\d.]+", part), float).reshape(-1, 2) for part in closed]


def _sheet(tiles: list[Array], columns: int) -> Array:
    """Stacks tiles in rows, and fills the last row with blank paper."""
    blank = [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [*tiles, *blank]
    return np.vstack([np.hstack(rows[start : start + columns]) for start in range(0, len(rows), columns)])


def _tile(picture: Array, caption: str) -> Array:
    """Puts a caption above a picture of (TILE, width, 3) and a margin around both."""
    captioned = np.vstack([_line(caption, picture.shape[1]), picture])
    return np.pad(captioned, ((EDGE, EDGE), (EDGE, EDGE), (0, 0)), constant_values=255)


def _line(text: str, width: int) -> Array:
    """Writes text on a strip of (CAPTION, width, 3), in the largest size that fits."""
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    (needed, _), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(0.45, (width - 16) / max(needed, 1))
    cv2.putText(strip, text, (8, CAPTION - 7), FONT, scale, INK, 1, cv2.LINE_AA)
    return strip


def _legend(width: int) -> Array:
    """Draws a strip of (LEGEND, width, 3) that explains the colours."""
    strip = np.full((LEGEND, width, 3), 255, np.uint8)
    for left, name, colour in ((8, "truth", TRUTH), (110, "prediction", PREDICTION)):
        cv2.line(strip, (left, LEGEND // 2), (left + 28, LEGEND // 2), colour, 3, cv2.LINE_AA)
        cv2.putText(strip, name, (left + 36, 19), FONT, 0.5, INK, 1, cv2.LINE_AA)
    return strip


def _without_and_with_outlines(image: Array, target: Array, prediction: Array) -> Array:
    """Draws one sample: (TILE, 2 TILE, 3)."""
    photograph = _enlarge(image, cv2.INTER_CUBIC)
    # Masks that are enlarged first have thin, smooth outlines at any size of the network.
    truth, predicted = (
        (_enlarge(mask.astype(np.uint8) * np.uint8(255), cv2.INTER_LINEAR) > 127).astype(np.uint8)
        for mask in (target, prediction)
    )
    return np.hstack([photograph, draw_contours(photograph, truth, predicted, thickness=2)])


def _enlarge(image: Array, interpolation: int) -> Array:
    return np.asarray(cv2.resize(image, (TILE, TILE), interpolation=interpolation), np.uint8)


def _outlined(picture: Picture | None) -> Array:
    """Draws a picture with both outlines in the upper left corner of (TILE, TILE, 3)."""
    body = np.full((TILE, TILE, 3), 255, np.uint8)
    if picture is None:
        return body
    scale = TILE / max(picture.width, picture.height)
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    body[:height, :width] = cv2.resize(_photograph(picture), (width, height), interpolation=cv2.INTER_AREA)
    for path, colour in ((picture.target, TRUTH), (picture.prediction, PREDICTION)):
        polygons = [np.round(points * scale).astype(np.int32) for points in outlines(path)]
        cv2.polylines(body[:height, :width], polygons, isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
    return body


def _photograph(picture: Picture) -> Array:
    if picture.photograph is None:
        return np.full((picture.height, picture.width, 3), GROUND, np.uint8)
    return np.asarray(Image.open(io.BytesIO(picture.photograph)).convert("RGB"))
