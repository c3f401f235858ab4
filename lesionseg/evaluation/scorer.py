"""Scoring one image: overlap, outlines, traits, probabilities, and a picture for the gallery."""

import io
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.image_file import resize_image
from lesionseg.data.masks import resize_mask
from lesionseg.evaluation.probabilities import ImageProbabilities
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.strata import strata_of
from lesionseg.evaluation.traits import image_traits, lesion_traits
from lesionseg.metrics.boundary import boundary_scores
from lesionseg.metrics.formula import Formula, image_scores
from lesionseg.metrics.image_scores import ImageScores, Picture, count

Array = NDArray[np.uint8]
Points = NDArray[np.float32]
TRAITS_SIZE = 256  # pixels, height and width at which colours are compared and hairs found
OUTLINE_SIZE = 384  # pixels, longer side of a picture without a photograph
QUALITY = 72
METHOD = 2  # effort of WebP; 4, the default, takes 2.3 times as long on dermoscopic images and saves 7 % of the bytes
TOLERANCE = 0.4  # largest error of a simplified outline in pixels of the picture, which is invisible
LONGEST, COARSEST = 6_000, 4.0  # characters above which a frayed outline is simplified further, up to this error
MOST_PIECES = 200  # pieces and holes that are drawn, the longest ones; a model that has learnt nothing makes more
SPECK = 2.0  # side of the square that stands for anything smaller, which would vanish


class ScoredImage(NamedTuple):
    """Scores of an image and, where there are probabilities, their counts."""

    scores: ImageScores
    probabilities: ImageProbabilities | None


def score_image(
    image_id: str,
    *,
    prediction: Array,
    target: Array,
    photograph: Array | None,
    probability: NDArray[np.float32] | None,
    settings: EvaluationSettings,
    formulas: Mapping[str, Formula],
) -> ScoredImage:
    """Scores one image at the ground truth's own size. Safe to call from several threads.

    Args:
        image_id: Unique within the evaluation.
        prediction: (H, W) in {0, 1}.
        target: (H, W) in {0, 1}.
        photograph: (h, w, 3) RGB 0..255 at any size, for picture, contrast and hair; None where there is none.
        probability: (H, W) in [0, 1]; None where only masks are known.
        settings: Boundary tolerance and size of pictures.
        formulas: Formulas of the scores, see `lesionseg.metrics.definitions.measured_formulas`.

    Raises:
        ValueError: Prediction and target differ in shape.
    """
    counts = count(prediction, target)
    boundary = boundary_scores(prediction, target, tolerance=settings.boundary_tolerance)
    traits = lesion_traits(target)
    if photograph is not None:
        traits |= image_traits(resize_image(photograph, TRAITS_SIZE), resize_mask(target, TRAITS_SIZE))
    image = ImageScores(
        id=image_id,
        height=target.shape[0],
        width=target.shape[1],
        counts=counts,
        scores=image_scores(formulas, counts) | boundary,
        traits=traits,
        strata=strata_of(traits, image_id=image_id),
        # Size and pixels, so that resized or edited ground truth counts as another test set.
        target_sha256=sha256(f"{target.shape}".encode() + np.packbits(target).tobytes()).hexdigest(),
        picture=make_picture(photograph, prediction, target, size=settings.picture_size),
    )
    return ScoredImage(image, None if probability is None else ImageProbabilities.of(probability, target))


def make_picture(image: Array | None, prediction: Array, target: Array, *, size: int) -> Picture:
    """Draws the gallery's picture of one image in the ground truth's aspect ratio.

    Outlines run through the centres of the outermost lesion pixels, around holes too, and are empty for empty masks.

    Args:
        image: (h, w, 3) RGB 0..255 at any size and aspect ratio, stretched over the picture; None for none.
        prediction: (H, W) in {0, 1}.
        target: (H, W) in {0, 1}.
        size: Longer side of the picture in pixels, at most the ground truth's; 0 for outlines alone.
    """
    scale = min((size or OUTLINE_SIZE) / max(target.shape), 1.0)
    height, width = (max(round(side * scale), 1) for side in target.shape)
    return Picture(
        width=width,
        height=height,
        photograph=_encode(image, width, height) if image is not None and size else None,
        target=_outline(target, width, height),
        prediction=_outline(prediction, width, height),
    )


def _encode(image: Array, width: int, height: int) -> bytes:
    """Compresses (h, w, 3) to WebP at the given size."""
    if image.shape[:2] != (height, width):
        shrinks = image.shape[0] * image.shape[1] > height * width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=QUALITY, method=METHOD)
    return file.getvalue()


def _outline(mask: Array, width: int, height: int) -> str:
    """Traces a mask (H, W) in {0, 1} at its own size, because a smaller one would lose small parts."""
    left, top, lesion_width, lesion_height = cv2.boundingRect(mask)
    if lesion_width == 0:
        return ""
    lesion = mask[top : top + lesion_height, left : left + lesion_width]
    pieces, _ = cv2.findContours(lesion, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    longest = sorted(pieces, key=len, reverse=True)[:MOST_PIECES]
    centre = np.array([left + 0.5, top + 0.5], np.float32)
    scale = np.array([width / mask.shape[1], height / mask.shape[0]], np.float32)
    return _path([(piece.reshape(-1, 2).astype(np.float32) + centre) * scale for piece in longest])


def _path(pieces: list[Points]) -> str:
    """Simplifies closed lines, each (n, 2) in the picture's pixels, until their path is short enough."""
    tolerance = TOLERANCE
    path = "".join(_piece(piece, tolerance) for piece in pieces)
    while len(path) > LONGEST and tolerance < COARSEST:
        tolerance *= 2
        path = "".join(_piece(piece, tolerance) for piece in pieces)
    return path


def _piece(points: Points, tolerance: float) -> str:
    """Writes one closed line (n, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    if (high - low).max() < SPECK:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * SPECK / 2
        points = ((low + high) / 2 + corners).astype(np.float32)
    else:
        points = np.asarray(cv2.approxPolyDP(points, tolerance, True), np.float32).reshape(-1, 2)
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points.tolist()) + "Z"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
