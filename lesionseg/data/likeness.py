"""How alike two pictures are once one is laid on the other.

Each picture becomes its local structure: grey levels less their surroundings, divided by the local contrast, so that
neither colours nor light count. A first idea of how one lies on the other is refined (Evangelidis & Psarakis,
"Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", TPAMI 2008).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.portrait import SIDE, Portrait

Floats = NDArray[np.float32]

BLOCKS = 8
"""Along a side, each of which is compared by itself."""
KEPT = 0.75
"""Share of the blocks that count, the best: a part may be covered."""
SEEN = 0.3
"""Share of a block that both pictures have to show for it to count."""
OVERLAP = 0.6
"""Share of the smaller picture that the other one has to show."""
ENOUGH = 8
"""Blocks that have to count."""


def likeness(first: Portrait, second: Portrait, warp: Floats) -> float:
    """Aligns two pictures and correlates their structure.

    Args:
        first: A picture.
        second: Another, mirrored if it is a mirror image.
        warp: (2, 3) float32 affine, places of the first -> about the same ones of the second.

    Returns:
        -1 to 1; 0 where they cannot be aligned, or overlap too little.
    """
    one, other = structure(first), structure(second)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, found = cv2.findTransformECC(one, other, warp.copy(), cv2.MOTION_AFFINE, criteria, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # it does not converge: nothing in common
        return 0.0
    both = first.field * _warped(second.field, found, cv2.INTER_NEAREST)
    scale = max(abs(float(np.linalg.det(found[:, :2]))), 1e-3)
    if both.sum() < OVERLAP * min(float(first.field.sum()), float(second.field.sum()) / scale):
        return 0.0
    return _best_blocks(one, _warped(other, found, cv2.INTER_LINEAR), both.astype(np.float32))


def _best_blocks(one: Floats, other: Floats, both: Floats) -> float:
    """Correlates (SIDE, SIDE) structures, where both are seen, over the blocks that are most alike."""
    count, ones, others = (_block_sums(values * both) for values in (np.ones_like(one), one, other))
    products = _block_sums(one * other * both) - ones * others / np.maximum(count, 1)
    squares, other_squares = (
        _block_sums(values * values * both) - sums * sums / np.maximum(count, 1)
        for values, sums in ((one, ones), (other, others))
    )
    seen = np.flatnonzero(count > SEEN * (SIDE // BLOCKS) ** 2)
    if len(seen) < ENOUGH:
        return 0.0
    alike = products[seen] / np.sqrt(np.maximum(squares[seen] * other_squares[seen], 1e-6))
    kept = seen[np.argsort(-alike, kind="stable")[: round(KEPT * len(seen))]]
    norm = np.sqrt(squares[kept].sum() * other_squares[kept].sum())
    return float(products[kept].sum() / norm) if norm > 0 else 0.0


def structure(picture: Portrait, *, fine: float = 0.9, coarse: float = 5.3, local: float = 9.3) -> Floats:
    """Takes brightness and contrast out of a picture, and everything out of what is not in its field of view.

    Args:
        picture: The picture.
        fine: Details below this standard deviation (pixels) are blurred away,
        coarse: and so is what is larger than this one.
        local: Over this standard deviation contrast is evened out.

    Returns:
        (SIDE, SIDE) float32 around 0.
    """
    field = picture.field.astype(np.float32)
    levels = picture.grey.astype(np.float32) * field
    details = (_mean(levels, field, fine) - _mean(levels, field, coarse)) * field
    contrast = np.sqrt(_mean(details * details, field, local))
    return np.asarray(details / (contrast + 3), np.float32)  # 3 grey levels: noise is no structure


def _mean(values: Floats, field: Floats, width: float) -> Floats:
    """Averages around each pixel over what is in the field alone."""
    weight = cv2.GaussianBlur(field, (0, 0), width)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), width) / np.maximum(weight, 1e-3), np.float32)


def _warped(picture: Any, warp: Any, interpolation: int) -> Any:
    return cv2.warpAffine(picture, warp, (SIDE, SIDE), flags=cv2.WARP_INVERSE_MAP | interpolation)


def _block_sums(values: Floats) -> Floats:
    """Adds up (SIDE, SIDE) values in each block: (BLOCKS * BLOCKS,)."""
    size = SIDE // BLOCKS
    return np.asarray(values.reshape(BLOCKS, size, BLOCKS, size).sum(axis=(1, 3)).ravel(), np.float32)
