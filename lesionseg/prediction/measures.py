"""What a prediction says of a lesion, and how sure of it the model is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionseg.decision.runs import Box, Runs


@dataclass(frozen=True)
class Measures:
    """Of one image's prediction; lengths and areas in pixels of the file as stored."""

    width: int
    height: int
    area_pixels: int
    area_percent: float
    """Of the image's pixels."""
    box: Box | None
    """None where no lesion was found, as `centroid` and `mean_confidence` are."""
    centroid: tuple[float, float] | None
    """(x, y), the first pixel's centre being (0, 0)."""
    mean_confidence: float | None
    """Mean probability of the pixels that the network calls lesion, in (threshold, 1]; also of regions that the
    decision takes out of the mask, which are part of the network's doubts, as in `expected_jaccard`."""
    expected_jaccard: float
    """See `expected_jaccard`; 0 where no lesion was found."""
    touches_border: bool
    """Whether the mask reaches the image's outermost pixels, so that the lesion may go on outside."""


def measure(runs: Runs, probability: NDArray[np.float32], threshold: float) -> Measures:
    """Measures a prediction.

    Args:
        runs: The mask at the image's own size, as stored.
        probability: (h, w) at the network's size.
        threshold: Of the decision.
    """
    height, width = runs.shape
    lesion = probability > np.float32(threshold)
    return Measures(
        width=width,
        height=height,
        area_pixels=runs.area,
        area_percent=100 * runs.area / (height * width),
        box=runs.box,
        centroid=runs.centroid,
        mean_confidence=float(probability[lesion].mean()) if lesion.any() and runs.area else None,
        expected_jaccard=expected_jaccard(probability, lesion),
        touches_border=runs.touches_border,
    )


def expected_jaccard(probability: NDArray[np.float32], lesion: NDArray[np.bool_]) -> float:
    """Estimates the Jaccard index that a mask will have, from the probabilities alone.

    Were each pixel lesion with its probability, the mask and the truth would share `sum of p over the mask` pixels and
    cover `mask + sum of p outside it` together; the ratio of these expectations is returned. A model that hesitates
    over where the border is, or whether there is a lesion at all, gets a small value.

    Args:
        probability: (h, w) in [0, 1].
        lesion: (h, w), the mask. Where it is empty the result is 0: an image of the skin without a lesion is either a
            mistake or one for a person to look at.
    """
    total = float(probability.sum(dtype=np.float64))
    shared = float(probability[lesion].sum(dtype=np.float64))
    mask = int(np.count_nonzero(lesion))
    return shared / (mask + total - shared) if mask else 0.0
