"""What Jaccard index a mask may be expected to have, so that a person looks where it is low.

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

from lesionseg.decision.temperature import softened

Floats = NDArray[np.float32]

CONSTANT, STATED, AGREEMENT = -0.47, 0.69, 0.29
SUREST = 0.98
"""Signs nearer to 1, or to 0 by as much, say nothing more: their logits would go on to infinity."""


def expected_jaccard(
    probability: Floats, second_look: Floats | None, *, threshold: float, temperature: float
) -> tuple[float, float | None]:
    """Estimates the Jaccard index that a mask will have.

    Args:
        probability: (h, w) in [0, 1].
        second_look: Likewise, of the same image; None where there is none.
        threshold: A pixel is lesion where its probability is above this.
        temperature: Temperature of the probabilities, see `lesionseg.decision.temperature`.

    Returns:
        The estimate, and the two looks' agreement in [0, 1], None without a second one. Where the mask is empty the
        estimate is 0: an image of the skin without a lesion is either a mistake or one for a person to look at.
    """
    lesion = probability > np.float32(threshold)
    agreement = None if second_look is None else jaccard(lesion, second_look > np.float32(threshold))
    if not lesion.any():
        return 0.0, agreement
    stated = stated_jaccard(softened(probability, temperature), lesion)
    return stated if agreement is None else expected_of(stated, agreement), agreement


def expected_of(stated: float, agreement: float) -> float:
    """Puts two signs together: each in [0, 1] -> the Jaccard index to be expected, in (0, 1)."""
    return float(1 / (1 + np.exp(-(CONSTANT + STATED * _logit(stated) + AGREEMENT * _logit(agreement)))))


def stated_jaccard(probability: Floats, lesion: NDArray[np.bool_]) -> float:
    """Computes what a mask would reach on average, were each pixel lesion with its probability.

    Args:
        probability: (h, w) in [0, 1].
        lesion: (h, w), the mask; where it is empty the result is 0.
    """
    total = float(probability.sum(dtype=np.float64))
    shared = float(probability[lesion].sum(dtype=np.float64))
    mask = int(np.count_nonzero(lesion))
    return shared / (mask + total - shared) if mask else 0.0


def jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Returns two masks' Jaccard index; 1 where both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def _logit(sign: float) -> float:
    within = min(max(sign, 1 - SUREST), SUREST)
    return float(np.log(within / (1 - within)))
