"""One image's prediction: the mask as the file is stored, and what was measured."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import as_stored
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.postprocessing.run_length import RunLengthMask
from lesionseg.postprocessing.temperature import NEUTRAL
from lesionseg.prediction.measures import Measures, measure


@dataclass(frozen=True)
class Prediction:
    """A prediction at the network's size, that knows the image's own."""

    upright: NDArray[np.float32]
    """Each pixel's lesion probability, (image_size, image_size) in [0, 1], upright as the network saw the image."""
    shape: tuple[int, int]
    """(H, W) of the image in pixels, upright."""
    orientation: int
    """EXIF's number for how the stored pixels have to be turned to be upright, 1 to 8."""
    postprocessing: Postprocessing
    second_look: NDArray[np.float32] | None = None
    """As `upright`, of the second look; None where the network has looked once."""
    temperature: float = NEUTRAL
    """Of the probabilities."""

    @property
    def probability(self) -> NDArray[np.float32]:
        """The probability at the network's size, turned as the file is stored."""
        return np.ascontiguousarray(as_stored(self.upright, self.orientation))

    @property
    def stored_shape(self) -> tuple[int, int]:
        """(H, W) of the image in pixels, as stored."""
        height, width = self.shape
        return (width, height) if self.orientation >= 5 else (height, width)  # 5 to 8 exchange rows and columns

    def mask(self) -> RunLengthMask:
        """Decides each pixel of the image as stored; bilinear interpolation does not mind how it is turned."""
        return self.postprocessing.mask(self.probability, self.stored_shape)

    def upright_mask(self, shape: tuple[int, int]) -> RunLengthMask:
        """Decides each pixel of the upright image, reduced to (H, W)."""
        return self.postprocessing.mask(self.upright, shape)

    def enlarged(self) -> NDArray[np.float32]:
        """Enlarges the probability to the image as stored, (H, W) in [0, 1]; regions are as the network has them."""
        height, width = self.stored_shape
        enlarged = cv2.resize(self.probability, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged, np.float32)

    def measures(self, mask: RunLengthMask) -> Measures:
        """Measures what `mask` returned."""
        return measure(
            mask,
            self.upright,
            self.second_look,
            threshold=self.postprocessing.threshold,
            temperature=self.temperature,
        )
