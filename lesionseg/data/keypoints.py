"""Points of a picture that are found again in a turned, cropped, resized or recoloured copy (Lowe's SIFT).

Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004; descriptors are compared by the square
roots of their entries (Arandjelovic & Zisserman, "Three things everyone should know to improve object retrieval",
CVPR 2012).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.portrait import SIDE, Portrait

Floats = NDArray[np.float32]

MOST = 250
"""Points of a picture."""
CONTRAST = 0.005
"""Contrast of the faintest point: low, because skin is smooth; grey levels are stretched first."""
NUMBERS = 128
"""Length of a descriptor: 4 x 4 places by 8 directions."""
FEWEST = 5
"""Points that have to agree on how one picture lies on another."""
ROUGHLY = 5.0
"""Pixels by which points may be off where one pair of points gives place, turn and size,"""
CLOSELY = 3.0
"""and where all of them do."""


class Keypoints(NamedTuple):
    """Places of a picture, and descriptors of what is around them, both (N, ...)."""

    places: NDArray[np.complex64]
    """(N,) pixels of the portrait, x + iy."""
    arrows: NDArray[np.complex64]
    """(N,) direction, as long as the size in pixels."""
    descriptors: NDArray[np.floating]
    """(N, 128) of length 1, or fewer numbers: what `Vocabulary.reduced` makes of them."""


def keypoints(picture: Portrait) -> Keypoints:
    """Finds the points of a picture's field of view, at most MOST."""
    detector = cv2.SIFT_create(nfeatures=MOST, contrastThreshold=CONTRAST)  # type: ignore[attr-defined]
    found, described = detector.detectAndCompute(stretched(picture), None if picture.field.all() else picture.field)
    found = found[:MOST]  # of several equally strong ones OpenCV keeps one too many
    if not found:
        nothing = np.zeros(0, np.complex64)
        return Keypoints(nothing, nothing, np.zeros((0, NUMBERS), np.float32))
    numbers = np.array([(*point.pt, point.size, np.deg2rad(point.angle)) for point in found], np.float32)
    places = numbers[:, 0] + 1j * numbers[:, 1]
    arrows = numbers[:, 2] * np.exp(1j * numbers[:, 3])
    described = described[:MOST] / np.maximum(described[:MOST].sum(axis=1, keepdims=True), 1e-6)
    return Keypoints(places.astype(np.complex64), arrows.astype(np.complex64), np.sqrt(described).astype(np.float32))


def stretched(picture: Portrait) -> NDArray[np.uint8]:
    """Stretches the field's grey levels over the whole range, so that a pale copy has the same points."""
    seen = picture.grey[picture.field > 0]
    if not seen.size:
        return picture.grey
    low, high = np.percentile(seen, [1, 99])
    levels = (picture.grey.astype(np.float32) - low) * (235 / max(high - low, 20)) + 10
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def mirrored(points: Keypoints) -> Keypoints:
    """Returns the points of the picture mirrored left to right, without looking at it again.

    Across a point's direction a mirror exchanges places, and the senses of all directions.
    """
    grid = points.descriptors.reshape(-1, 4, 4, 8)[:, ::-1][..., -np.arange(8) % 8]
    places = (SIDE - 1) - points.places.conj()
    return Keypoints(places, -points.arrows.conj(), np.ascontiguousarray(grid).reshape(-1, NUMBERS))


class Agreement(NamedTuple):
    """How many points of two pictures agree on how the one lies on the other."""

    points: int
    warp: Floats
    """(2, 3) affine: places of the first -> places of the second."""


NONE = Agreement(0, np.eye(2, 3, dtype=np.float32))


def agreement(first: Keypoints, second: Keypoints) -> Agreement:
    """Finds the place, turn and size at which most points of two pictures fit.

    Each pair of points that are most alike of all, both ways, says by itself how one picture lies on the other; the
    others are held against it.

    Args:
        first: Points, with descriptors of any kind whose products say how alike they are.
        second: Likewise; of `mirrored` if the second may be a mirror image.

    Returns:
        No point where fewer than FEWEST agree.
    """
    here, there = _partners(first, second)
    if len(here) < FEWEST:
        return NONE
    from_, to = first.places[here], second.places[there]
    turns = second.arrows[there] / first.arrows[here]
    offsets = to - turns * from_
    misses = turns[:, None] * from_ + offsets[:, None] - to
    near = misses.real**2 + misses.imag**2 < ROUGHLY**2
    return _refined(from_, to, near[near.sum(axis=1).argmax()])


def _partners(first: Keypoints, second: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs points each of which is most like the other."""
    if not len(first.places) or not len(second.places):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    one, other = first.descriptors.astype(np.float32), second.descriptors.astype(np.float32)
    there, back = (one @ other.T).argmax(axis=1), (other @ one.T).argmax(axis=1)
    here = np.flatnonzero(back[there] == np.arange(len(there)))
    return here, there[here]


def _refined(here: NDArray[np.complex64], there: NDArray[np.complex64], fit: NDArray[np.bool_]) -> Agreement:
    """Fits an affine map to the points that agree, twice, and counts them."""
    start, target = (np.stack([places.real, places.imag, np.ones(len(places))], axis=1) for places in (here, there))
    for _ in range(2):
        if fit.sum() < FEWEST:
            return NONE
        warp = np.linalg.lstsq(start[fit], target[fit, :2], rcond=None)[0]
        fit = np.hypot(*(start @ warp - target[:, :2]).T) < CLOSELY
    return Agreement(_places_apart(here[fit], there[fit]), warp.T.astype(np.float32))


def _places_apart(here: NDArray[np.complex64], there: NDArray[np.complex64]) -> int:
    """Counts places two pixels apart: one place may have points of several directions and sizes."""
    return min(len({(int(place.real) // 2, int(place.imag) // 2) for place in side}) for side in (here, there))
