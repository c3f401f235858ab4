"""The Jaccard index that a mask may be expected to have, so that a person looks where it is low.

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

import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.image_scores import count
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.postprocessing.temperature import softened

Floats = NDArray[np.float32]

CONSTANT, STATED, AGREEMENT = -0.47, 0.69, 0.29
SUREST = 0.98
"""Upper limit of a sign, whose lower limit is 1 minus it, since logits grow to infinity."""


def expected_jaccard(
    probability: Floats, second_look: Floats | None, *, threshold: float, temperature: float
) -> tuple[float, float | None]:
    """Estimates the Jaccard index that a mask will have.

    Args:
        probability: Probability of lesion, (h, w) in [0, 1].
        second_look: Probability of a second look at the image, (h, w) in [0, 1], or None.
        threshold: Probability above which a pixel is lesion.
        temperature: Temperature of the probabilities, see `lesionseg.postprocessing.temperature`.

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


def stated_jaccard(probability: Floats, lesion: NDArray[np.bool_]) -> float:
    """Computes the Jaccard index that a mask would reach if each pixel was lesion with its probability.

    Args:
        probability: Probability of lesion, (h, w) in [0, 1].
        lesion: Mask, (h, w); the result of an empty one is 0.
    """
    total = float(probability.sum(dtype=np.float64))
    shared = float(probability[lesion].sum(dtype=np.float64))
    mask = int(np.count_nonzero(lesion))
    return shared / (mask + total - shared) if mask else 0.0


def jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Computes the Jaccard index of two masks (h, w); 1 if both are empty."""
    return float(Jaccard().score(count(one.view(np.uint8), other.view(np.uint8))))


def _logit(sign: float) -> float:
    within = min(max(sign, 1 - SUREST), SUREST)
    return float(np.log(within / (1 - within)))
