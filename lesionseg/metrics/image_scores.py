"""What an evaluation knows about one image."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.formula import Counts

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """What the gallery shows of one image.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        photograph: Bytes of a WebP file of (height, width), or None without a photograph.
        target: Outline of the ground truth as SVG path data in these pixels, `M1 2L3 4...Z`; empty without a lesion.
        prediction: Outline of the prediction in the same form.
    """

    width: int
    height: int
    photograph: bytes | None
    target: str
    prediction: str


@dataclass(frozen=True)
class ImageScores:
    """One image's scores.

    Attributes:
        id: Name, unique within the evaluation.
        height: Height of the ground truth in pixels.
        width: Width of the ground truth in pixels.
        counts: Pixel counts.
        scores: Score by name, in the order of tables.
        traits: Numbers that describe the image, for example `lesion_share`; None if unknown.
        strata: Group of the image by stratum, for example `{"lesion size": "small (under 5 %)"}`.
        target_sha256: SHA-256 of the ground truth's size and pixels.
        picture: Picture for the gallery, or None.
    """

    id: str
    height: int
    width: int
    counts: Counts
    scores: dict[str, float]
    traits: dict[str, float | None] = field(default_factory=dict)
    strata: dict[str, str] = field(default_factory=dict)
    target_sha256: str = ""
    picture: Picture | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a lesion of which nothing was found."""
        return bool(self.counts.true_positives == 0 and self.counts.false_negatives > 0)


def count(prediction: Mask, target: Mask) -> Counts:
    """Counts the pixels of two (H, W) uint8 masks in {0, 1}.

    Raises:
        ValueError: Their shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction is {prediction.shape} and the target {target.shape}; allowed: one shape")
    both = cv2.countNonZero(cv2.bitwise_and(prediction, target))
    predicted, lesion = cv2.countNonZero(prediction), cv2.countNonZero(target)
    return Counts(both, predicted - both, lesion - both, target.size - predicted - lesion + both)


def worst_first(images: Iterable[ImageScores]) -> list[ImageScores]:
    """Sorts images by Jaccard index, lowest first, then by id."""
    return sorted(images, key=lambda image: (image.scores["jaccard"], image.id))
