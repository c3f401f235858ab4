"""One picture of the worst cases, for places that show no HTML."""

import re
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.outline_drawing import CAPTION, FONT, PREDICTION, TILE, TRUTH, legend
from lesionseg.metrics.image_scores import ImageScores, Picture

Array = NDArray[np.uint8]
COLUMNS = 4
GROUND = 128
"""Grey level where there is no photograph."""


def worst_cases(images: Sequence[ImageScores]) -> Array:
    """Lays images out four a row with both outlines, id and Jaccard index, below a legend.

    Args:
        images: At least one, in the order shown; each with a picture.

    Returns:
        The sheet, (height, width, 3) uint8 RGB.
    """
    tiles = [_tile(image) for image in images]
    columns = min(COLUMNS, len(tiles))
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([legend(rows[0].shape[1]), *rows])


def outlines(path: str) -> list[NDArray[np.float64]]:
    """Reads SVG path data of straight, closed lines: each (N, 2) as x, y."""
    closed = [part for part in path.split("Z") if part]
    return [np.array(re.findall(r"-?[\d.]+", part), float).reshape(-1, 2) for part in closed]


def _tile(image: ImageScores) -> Array:
    """Draws one image: (CAPTION + TILE + 8, TILE + 8, 3)."""
    head = np.full((CAPTION, TILE, 3), 255, np.uint8)
    text = f"{image.id}  J {image.scores['jaccard']:.3f}"
    cv2.putText(head, text, (2, CAPTION - 7), FONT, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    body = np.full((TILE, TILE, 3), 255, np.uint8)
    if image.picture is not None:
        drawn = _draw(image.picture)
        body[: drawn.shape[0], : drawn.shape[1]] = drawn
    return np.pad(np.vstack([head, body]), ((4, 4), (4, 4), (0, 0)), constant_values=255)


def _draw(picture: Picture) -> Array:
    """Draws a picture at most TILE pixels wide and high."""
    scale = TILE / max(picture.width, picture.height)
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    drawn = cv2.resize(_photograph(picture), (width, height), interpolation=cv2.INTER_AREA)
    for path, colour in ((picture.target, TRUTH), (picture.prediction, PREDICTION)):
        polygons = [np.round(points * scale).astype(np.int32) for points in outlines(path)]
        cv2.polylines(drawn, polygons, isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
    return np.asarray(drawn, np.uint8)


def _photograph(picture: Picture) -> Array:
    if picture.photograph is None:
        return np.full((picture.height, picture.width, 3), GROUND, np.uint8)
    decoded = cv2.imdecode(np.frombuffer(picture.photograph, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("the picture's photograph is no image file")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
