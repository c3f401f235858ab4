"""Overlap of two masks, to the last digit as the ISIC challenge counts it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.definitions import THRESHOLD_JACCARD
from lesionseg.metrics.image_scores import Counts

Mask = NDArray[np.uint8]


def count(prediction: Mask, target: Mask) -> Counts:
    """Counts the pixels of two (H, W) uint8 masks in {0, 1}.

    Raises:
        ValueError: Their shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction is {prediction.shape} and the target {target.shape}; allowed: one shape")
    both = cv2.countNonZero(cv2.bitwise_and(prediction, target))
    predicted, lesion = cv2.countNonZero(prediction), cv2.countNonZero(target)
    return Counts(both, predicted - both, lesion - both, target.size - predicted - lesion + both)


def overlap_scores(counts: Counts) -> dict[str, float]:
    """Computes every overlap score of one image, as `lesionseg.metrics.definitions.METRICS` defines them.

    Equal to `isic_challenge_scoring.metrics` where that has them, but for the precision of an empty prediction, which
    is 0 here where there is a lesion: missing a lesion must not pay.
    """
    tp, fp, fn, tn = counts
    jaccard = _share(tp, tp + fp + fn, 1.0)
    recall = _share(tp, tp + fn, 1.0)
    return {
        "dice": _share(2 * tp, 2 * tp + fp + fn, 1.0),
        "jaccard": jaccard,
        "threshold_jaccard": jaccard if jaccard >= THRESHOLD_JACCARD else 0.0,
        "failure": float(jaccard < THRESHOLD_JACCARD),
        "precision": _share(tp, tp + fp, float(fn == 0)),
        "recall": recall,
        "sensitivity": recall,
        "specificity": _share(tn, tn + fp, 1.0),
        "accuracy": _share(tp + tn, sum(counts), 1.0),
    }


def _share(part: int, whole: int, undefined: float) -> float:
    return part / whole if whole else undefined
