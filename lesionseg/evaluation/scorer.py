"""Scoring one image: overlap, outlines, traits, picture and probabilities."""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import resize_image
from lesionseg.data.masks import resize_mask
from lesionseg.evaluation.image_probabilities import ImageProbabilities
from lesionseg.evaluation.picture import make_picture
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.strata import strata_of
from lesionseg.evaluation.traits import image_traits, lesion_traits
from lesionseg.metrics.boundary import boundary_scores
from lesionseg.metrics.formula import Formula, image_scores
from lesionseg.metrics.image_scores import ImageScores, count

Array = NDArray[np.uint8]
TRAITS_SIZE = 256
"""Height and width in pixels at which colours are compared and hairs found."""


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
    traits = _traits(photograph, target)
    height, width = target.shape
    image = ImageScores(
        id=image_id,
        height=height,
        width=width,
        counts=counts,
        scores=image_scores(formulas, counts) | boundary,
        traits=traits,
        strata=strata_of(traits, image_id=image_id),
        target_sha256=_fingerprint(target),
        picture=make_picture(photograph, prediction, target, size=settings.picture_size),
    )
    return ScoredImage(image, None if probability is None else ImageProbabilities.of(probability, target))


def _traits(photograph: Array | None, target: Array) -> dict[str, float | None]:
    traits = lesion_traits(target)
    if photograph is None:
        return traits
    return traits | image_traits(resize_image(photograph, TRAITS_SIZE), resize_mask(target, TRAITS_SIZE))


def _fingerprint(target: Array) -> str:
    """Hashes size and pixels, so that resized or edited ground truth counts as another test set."""
    return sha256(f"{target.shape}".encode() + np.packbits(target).tobytes()).hexdigest()
