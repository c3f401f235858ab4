"""The temperature: by how much a network is surer of itself than it has reason to be.

A network that was trained to fit its images calls more pixels certain than are right. Its logits divided by one number,
the temperature, are as sure as images that it was not trained on justify (Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017). The mask stays what it is: where the probability is above 0.5, it stays so.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

NEUTRAL = 1.0
"""Temperature of a model of which nothing is known: its probabilities are taken as they are."""
LOWEST, HIGHEST = 0.2, 20.0
"""Beyond these a network knows nothing, or makes no mistake on the few images that there are."""
STEPS = 2048
"""Logits are counted in so many steps, so that any number of pixels takes the same memory and time."""
LOGITS = -16.0, 16.0
"""All beyond these count as these: there, a wrong pixel costs what a million right ones do not make up for."""

Floats = NDArray[np.float64]


def fit_temperature(pairs: Iterable[tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> float:
    """Finds the temperature at which pixels are best predicted: that of the least mean cross-entropy.

    Args:
        pairs: For each image that was not trained on, its probabilities (h, w) in [0, 1], and the ground truth at that
            size, (h, w) uint8 in {0, 1}.

    Returns:
        `LOWEST` to `HIGHEST`; `NEUTRAL` where there are no pixels.
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
    """Divides logits by a temperature: probabilities in [0, 1] of any shape -> the same; above 1 they near 0.5."""
    changed: NDArray[np.float32] = 1 / (1 + np.exp(-logit(probability) / np.float32(temperature)))
    return changed


def logit(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Computes log(p / (1 - p)), of any shape; what float32 cannot tell from 0 and from 1 is -87 and 16."""
    above_zero = np.maximum(probability, np.finfo(np.float32).tiny)
    below_one = np.minimum(probability, 1 - np.finfo(np.float32).epsneg)
    logits: NDArray[np.float32] = np.log(above_zero) - np.log1p(-below_one)
    return logits
