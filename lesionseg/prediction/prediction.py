"""The prediction of one image: its mask as the file is stored, and its measures.

Among them is the Jaccard index that the mask may be expected to have, so that a person looks where it is low.

The network says it itself: were each pixel lesion with its probability, the mask and the truth would share `sum of p
over the mask` pixels and cover `mask + sum of p outside it` together; the ratio of these expectations is the stated
Jaccard index. A network is surer than it has reason to be, so its probabilities are first softened by the temperature
that was fitted on validation images. On photographs of cameras that it had never seen, the mean of what it then states
is within three hundredths of the real one (benchmarks/review_recall.py, docs/results.md).

If the network looks a second time, at the image upside down, the Jaccard index of the two masks is one more sign: an
outline that follows the lesion stays; one that follows an accident of light or hair may move. Then

    expected Jaccard index = sigmoid(CONSTANT + STATED x logit(stated) + AGREEMENT x logit(agreement of both looks))

whose weights were fitted by logistic regression, with the real Jaccard index as its target, on 836 photographs of two
cameras of ISIC 2017 (1024 x 768 and 3008 x 2000 pixels), each left out of the training of a network (`isic2017_fast` at
128 pixels). They are not below 0, so that doubt of either kind never raises what is expected.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import ON_ITS_SIDE, as_stored
from lesionseg.metrics.image_scores import count
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.postprocessing.run_length import Box, RunLengthMask
from lesionseg.postprocessing.temperature import NEUTRAL, softened

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

CONSTANT, STATED, AGREEMENT = -0.47, 0.69, 0.29
SUREST = 0.98
"""Upper limit of a sign, whose lower limit is 1 minus it, since logits grow to infinity."""


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
    """Jaccard index to be expected, see `expected_jaccard`; 0 if no lesion was found."""
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
        return self.shape[::-1] if self.orientation in ON_ITS_SIDE else self.shape

    def mask(self) -> RunLengthMask:
        """Returns the mask of the image as stored; bilinear interpolation does not depend on how it is turned."""
        return self.postprocessing.mask(self.probability, self.stored_shape)

    def upright_mask(self, shape: tuple[int, int]) -> RunLengthMask:
        """Returns the mask of the upright image, reduced to (H, W)."""
        return self.postprocessing.mask(self.upright, shape)

    def enlarged(self) -> Floats:
        """Enlarges the probability to the image as stored, (H, W) in [0, 1]."""
        enlarged = cv2.resize(self.probability, self.stored_shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged, np.float32)

    def measures(self, mask: RunLengthMask) -> Measures:
        """Measures the mask that `mask` returned."""
        threshold = self.postprocessing.threshold
        lesion = self.upright > np.float32(threshold)
        expected, agreement = expected_jaccard(
            self.upright, self.second_look, threshold=threshold, temperature=self.temperature
        )
        height, width = mask.shape
        return Measures(
            width=width,
            height=height,
            area_pixels=mask.area,
            area_percent=100 * mask.area / (height * width),
            box=mask.box,
            centroid=mask.centroid,
            mean_confidence=float(self.upright[lesion].mean()) if lesion.any() and mask.area else None,
            expected_jaccard=expected,
            touches_border=mask.touches_border,
            agreement=agreement,
        )


def expected_jaccard(
    probability: Floats, second_look: Floats | None, *, threshold: float, temperature: float
) -> tuple[float, float | None]:
    """Estimates the Jaccard index that a mask will have from the probabilities (h, w) of one or two looks at its image.

    Returns:
        The estimate, and the agreement of the two looks in [0, 1], None without a second one. The estimate of an empty
        mask is 0: an image of the skin without a lesion is either a mistake or one for a person to look at.
    """
    lesion = probability > np.float32(threshold)
    agreement = None if second_look is None else jaccard(lesion, second_look > np.float32(threshold))
    if not lesion.any():
        return 0.0, agreement
    stated = stated_jaccard(softened(probability, temperature), lesion)
    return stated if agreement is None else expected_of(stated, agreement), agreement


def expected_of(stated: float, agreement: float) -> float:
    """Combines two signs in [0, 1] into the Jaccard index to be expected, in (0, 1)."""
    return float(1 / (1 + np.exp(-(CONSTANT + STATED * _logit(stated) + AGREEMENT * _logit(agreement)))))


def stated_jaccard(probability: Floats, lesion: Mask) -> float:
    """Computes the Jaccard index that a mask would reach if each pixel was lesion with its probability; 0 if empty."""
    total = float(probability.sum(dtype=np.float64))
    shared = float(probability[lesion].sum(dtype=np.float64))
    mask = int(np.count_nonzero(lesion))
    return shared / (mask + total - shared) if mask else 0.0


def jaccard(one: Mask, other: Mask) -> float:
    """Computes the Jaccard index of two masks (h, w); 1 if both are empty."""
    return float(Jaccard().score(count(one.view(np.uint8), other.view(np.uint8))))


def _logit(sign: float) -> float:
    within = min(max(sign, 1 - SUREST), SUREST)
    return float(np.log(within / (1 - within)))
