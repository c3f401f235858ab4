"""The prediction of one image: its mask as the file is stored, and its measures."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import as_stored
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.postprocessing.run_length import Box, RunLengthMask
from lesionseg.postprocessing.temperature import NEUTRAL
from lesionseg.prediction.expected_jaccard import expected_jaccard

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Measures:
    """Measures of a mask; lengths and areas in pixels of the file as stored."""

    width: int
    height: int
    area_pixels: int
    area_percent: float
    """Share of the image's pixels, 0 to 100."""
    box: Box | None
    """Bounding box; None if no lesion was found, like `centroid` and `mean_confidence`."""
    centroid: tuple[float, float] | None
    """(x, y) with the first pixel's centre at (0, 0)."""
    mean_confidence: float | None
    """Mean probability of the pixels that the network calls lesion, in (threshold, 1], among them regions that the
    post-processing takes out of the mask."""
    expected_jaccard: float
    """Jaccard index to be expected, see `lesionseg.prediction.expected_jaccard`; 0 if no lesion was found."""
    touches_border: bool
    """Whether the mask reaches the image's outermost pixels, so that the lesion may extend beyond the image."""
    agreement: float | None = None
    """Jaccard index of the masks of the network's two looks; None if it has looked once, as in older journals."""


@dataclass(frozen=True)
class Prediction:
    """A prediction at the network's size that knows the image's own."""

    upright: Floats
    """Probability of lesion, (image_size, image_size) in [0, 1], upright as the network saw the image."""
    shape: tuple[int, int]
    """(H, W) of the image in pixels, upright."""
    orientation: int
    """EXIF orientation, 1 to 8: how the stored pixels have to be turned to be upright."""
    postprocessing: Postprocessing
    second_look: Floats | None = None
    """Probability of the second look; None if the network has looked once."""
    temperature: float = NEUTRAL
    """Temperature of the probabilities, see `lesionseg.postprocessing.temperature`."""

    @property
    def probability(self) -> Floats:
        """The probability at the network's size, turned as the file is stored."""
        return np.ascontiguousarray(as_stored(self.upright, self.orientation))

    @property
    def stored_shape(self) -> tuple[int, int]:
        """(H, W) of the image in pixels, as stored."""
        height, width = self.shape
        return (width, height) if self.orientation >= 5 else (height, width)  # 5 to 8 exchange rows and columns

    def mask(self) -> RunLengthMask:
        """Returns the mask of the image as stored; bilinear interpolation does not depend on how it is turned."""
        return self.postprocessing.mask(self.probability, self.stored_shape)

    def upright_mask(self, shape: tuple[int, int]) -> RunLengthMask:
        """Returns the mask of the upright image, reduced to (H, W)."""
        return self.postprocessing.mask(self.upright, shape)

    def enlarged(self) -> Floats:
        """Enlarges the probability to the image as stored, (H, W) in [0, 1]."""
        height, width = self.stored_shape
        enlarged = cv2.resize(self.probability, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged, np.float32)

    def measures(self, mask: RunLengthMask) -> Measures:
        """Measures the mask that `mask` returned."""
        return measure(
            mask,
            self.upright,
            self.second_look,
            threshold=self.postprocessing.threshold,
            temperature=self.temperature,
        )


def measure(
    mask: RunLengthMask,
    probability: Floats,
    second_look: Floats | None,
    *,
    threshold: float,
    temperature: float,
) -> Measures:
    """Measures a prediction.

    Args:
        mask: Mask at the image's own size, as stored.
        probability: Probability at the network's size, (h, w).
        second_look: Probability of the second look, (h, w), or None.
        threshold: Probability above which a pixel is lesion.
        temperature: Temperature of the probabilities.
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
