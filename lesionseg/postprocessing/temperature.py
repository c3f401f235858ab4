"""The temperature: the factor by which a network is too certain.

A network that was trained to fit its images is certain about more pixels than it predicts correctly. Dividing its
logits by one number, the temperature, makes it as certain as images that it was not trained on justify (Guo et al., "On
Calibration of Modern Neural Networks", ICML 2017). Probabilities above 0.5 stay above 0.5.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

NEUTRAL = 1.0
"""Temperature of a model about which nothing is known; its probabilities are used as they are."""
LOWEST, HIGHEST = 0.2, 20.0
"""Limits; beyond them a network knows nothing, or makes no mistake on the few images available."""
STEPS = 2048
"""Steps in which logits are counted, so that memory does not grow with the number of pixels."""
LOGITS = -16.0, 16.0
"""Range of logits; those beyond it are clipped, because one wrong pixel there would outweigh a million right ones."""


def fit_temperature(pairs: Iterable[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> float:
    """Finds the temperature with the least mean cross-entropy of pixels; `NEUTRAL` if there are none.

    Each pair is probabilities (h, w) in [0, 1] and ground truth (h, w) uint8 in {0, 1} of an image not trained on.
    """
    edges = np.linspace(*LOGITS, STEPS + 1)
    counts = np.zeros((2, STEPS))
    for probability, truth in pairs:
        logits = np.clip(logit(probability), *LOGITS)
        counts += [np.histogram(logits[truth == value], edges)[0] for value in (0, 1)]
    if not counts.any():
        return NEUTRAL
    centres = (edges[1:] + edges[:-1]) / 2

    def cross_entropy(logarithm: float) -> float:
        softened = centres / np.exp(logarithm)
        return float((counts[0] * np.logaddexp(0, softened) + counts[1] * np.logaddexp(0, -softened)).sum())

    found = minimize_scalar(cross_entropy, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def softened(probability: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Divides the logits of probabilities of any shape by a temperature; above 1, probabilities approach 0.5."""
    changed: NDArray[np.float32] = 1 / (1 + np.exp(-logit(probability) / np.float32(temperature)))
    return changed


def logit(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Computes log(p / (1 - p)) for any shape; probabilities that round to 0 or 1 in float32 give -87 or 16."""
    above_zero = np.maximum(probability, np.finfo(np.float32).tiny)
    below_one = np.minimum(probability, 1 - np.finfo(np.float32).epsneg)
    logits: NDArray[np.float32] = np.log(above_zero) - np.log1p(-below_one)
    return logits
