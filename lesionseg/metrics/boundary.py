"""Distances between the outlines of two masks."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Mask = NDArray[np.uint8]
Distances = NDArray[np.float64]
PERCENTILE = 95
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
"""A pixel and its four neighbours."""


def boundary_scores(prediction: Mask, target: Mask, *, tolerance: float) -> dict[str, float]:
    """Compares the outlines of two masks by exact Euclidean distances between pixel centres.

    An outline consists of the lesion pixels that have a non-lesion pixel among their four neighbours; outside the image
    nothing is lesion, as in MONAI, MedPy and SciPy. HD95 is the larger of the two directions' 95th percentiles
    (DeepMind's surface-distance, MONAI). The average surface distance is taken over the points of both outlines.
    Boundary F1 is that of Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013; its
    tolerance is in % of the diagonal sqrt(H^2 + W^2). Both masks are (H, W) in {0, 1}.

    Returns:
        The scores of `lesionseg.metrics.definitions.BOUNDARY` by name. If both masks are empty, the distances are 0 and
        F1 is 1. If one is empty, the distances are the whole diagonal and F1 is 0, so that a missed lesion counts.

    Raises:
        ValueError: The masks' shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"the prediction is {prediction.shape} and the target {target.shape}; allowed: one shape")
    diagonal = float(np.hypot(*target.shape))
    predicted, true = _outline(prediction), _outline(target)
    if len(predicted) == 0 or len(true) == 0:
        agree = len(predicted) == len(true)
        return _named(0.0 if agree else diagonal, 0.0 if agree else diagonal, float(agree), diagonal)
    there, back = _distances(predicted, true), _distances(true, predicted)
    hd95 = max(float(np.percentile(there, PERCENTILE)), float(np.percentile(back, PERCENTILE)))
    mean = float(there.sum() + back.sum()) / (len(there) + len(back))
    return _named(hd95, mean, _f1(there, back, tolerance / 100 * diagonal), diagonal)


def _named(hd95: float, surface_distance: float, f1: float, diagonal: float) -> dict[str, float]:
    return {
        "hd95_px": hd95,
        "hd95": 100 * hd95 / diagonal,
        "surface_distance_px": surface_distance,
        "surface_distance": 100 * surface_distance / diagonal,
        "boundary_f1": f1,
    }


def _outline(mask: Mask) -> NDArray[np.int32]:
    """Finds the outline's points: (n, 2) as (x, y), row by row."""
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return np.empty((0, 2), np.int32)
    lesion = mask[y : y + height, x : x + width]  # everything cut off is not lesion, like everything outside the image
    inside = cv2.erode(lesion, CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    points = cv2.findNonZero(cv2.subtract(lesion, inside))
    return np.asarray(points, np.int32).reshape(-1, 2) + np.array([x, y], np.int32)


def _distances(points: NDArray[np.int32], others: NDArray[np.int32]) -> Distances:
    """Measures each point's distance to the nearest of the others."""
    # The options do not change any distance; for points spread this evenly, a simple and shallow tree is fastest.
    tree = KDTree(others, leafsize=32, compact_nodes=False, balanced_tree=False)
    return np.asarray(tree.query(points)[0], np.float64)


def _f1(there: Distances, back: Distances, tolerance: float) -> float:
    precision, recall = float((there <= tolerance).mean()), float((back <= tolerance).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
