"""Scores and traits of one image."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.formula import Counts

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """Picture of one image in the gallery; outlines are SVG path data in its pixels, `M1 2L3 4...Z`."""

    width: int
    height: int
    photograph: bytes | None
    """WebP file of that width and height."""
    target: str
    prediction: str


@dataclass(frozen=True)
class ImageScores:
    """One image's scores; height and width in pixels are those of the ground truth."""

    id: str
    height: int
    width: int
    counts: Counts
    scores: dict[str, float]
    """Scores by name, in the order of tables."""
    traits: dict[str, float | None] = field(default_factory=dict)
    """Numbers that describe the image, such as `lesion_share`; None if unknown."""
    strata: dict[str, str] = field(default_factory=dict)
    """Group of the image by stratum, such as `{"lesion size": "small (under 5 %)"}`."""
    target_sha256: str = ""
    """Hash of the ground truth's size and pixels."""
    picture: Picture | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a lesion of which nothing was found."""
        return bool(self.counts.true_positives == 0 and self.counts.false_negatives > 0)


def count(prediction: Mask, target: Mask) -> Counts:
    """Counts the pixels of two masks (H, W) in {0, 1}, which must have one shape."""
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction is {prediction.shape} and the target {target.shape}; allowed: one shape")
    both = cv2.countNonZero(cv2.bitwise_and(prediction, target))
    predicted, lesion = cv2.countNonZero(prediction), cv2.countNonZero(target)
    return Counts.of(both=both, predicted=predicted, lesion=lesion, pixels=target.size)


def worst_first(images: Iterable[ImageScores]) -> list[ImageScores]:
    """Sorts images by Jaccard index, lowest first, then by id."""
    return sorted(images, key=lambda image: (image.scores["jaccard"], image.id))
