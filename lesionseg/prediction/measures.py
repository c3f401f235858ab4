"""What a prediction says of a lesion, and how sure of it the model is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionseg.postprocessing.run_length import Box, RunLengthMask
from lesionseg.prediction.expected_jaccard import expected_jaccard


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
    """See `lesionseg.prediction.expected_jaccard`; 0 where no lesion was found."""
    touches_border: bool
    """Whether the mask reaches the image's outermost pixels, so that the lesion may go on outside."""
    agreement: float | None = None
    """Jaccard index of the masks of the network's two looks; None where it has looked once, as all had that made the
    entries of older journals."""


def measure(
    mask: RunLengthMask,
    probability: NDArray[np.float32],
    second_look: NDArray[np.float32] | None,
    *,
    threshold: float,
    temperature: float,
) -> Measures:
    """Measures a prediction.

    Args:
        mask: The mask at the image's own size, as stored.
        probability: (h, w) at the network's size.
        second_look: Likewise, of the second look, or None.
        threshold: Of the decision.
        temperature: Of the probabilities.
    """
    height, width = mask.shape
    lesion = probability > np.float32(threshold)
    expected, agreement = expected_jaccard(probability, second_look, threshold=threshold, temperature=temperature)
    return Measures(
        width=width,
        height=height,
        area_pixels=mask.area,
        area_percent=100 * mask.area / (height * width),
        box=mask.box,
        centroid=mask.centroid,
        mean_confidence=float(probability[lesion].mean()) if lesion.any() and mask.area else None,
        expected_jaccard=expected,
        touches_border=mask.touches_border,
        agreement=agreement,
    )
