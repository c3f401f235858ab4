"""Finding the same picture twice: copied, resized, recoloured, turned, mirrored, or cropped by a twentieth of a side.

Public sets hold many such pairs, some with another white balance or without the camera's caption, so neither file
hashes nor the usual perceptual hashes (which look at brightness) find them. Here each picture becomes its local
structure: grey levels less their surroundings, divided by the local contrast. Structure that correlates is aligned
(Evangelidis & Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization", TPAMI 2008)
and correlated again, finer.

On the 2,150 ISIC 2017 training and validation images it finds 20 pairs, the same ones at 128, 160 and 256 pixels: all
show one lesion, as a look at each confirms, the least alike at 0.91. The first pair of different lesions is at 0.76.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lesionseg.cores import usable_cores
from lesionseg.data.resize import resize_image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

SAME = 0.85
"""Aligned correlation from which two pictures count as one."""
FINE = 96
"""Height and width in pixels at which pictures are aligned."""
COARSE = 64
"""The same at which all are compared with all."""
TURNED = 32
"""The same at which they are compared with turned and mirrored ones."""
CANDIDATE = 0.6
"""Coarse correlation from which aligning is tried."""
TURNED_CANDIDATE = 0.9
MOST_CANDIDATES = 8
"""Of each picture, the best ones."""
BLOCK = 1024
"""Pictures compared with all at a time; bounds memory."""

TURNS: tuple[Callable[[Pixels], Pixels], ...] = (
    lambda picture: picture,
    lambda picture: np.rot90(picture, 1),
    lambda picture: np.rot90(picture, 2),
    lambda picture: np.rot90(picture, 3),
    np.fliplr,
    np.flipud,
    lambda picture: picture.T,
    lambda picture: np.rot90(picture, 2).T,
)
"""The eight ways to lay a square picture."""


class Candidate(NamedTuple):
    """Two pictures that may be one: the first looks like the second turned by `TURNS[turn]`."""

    first: int
    second: int
    turn: int


class Duplicate(NamedTuple):
    """Two pictures of one thing."""

    first: int
    second: int
    """Rows, first < second."""
    likeness: float
    """Correlation of their aligned structure, at most 1; exactly 1.0 only for equal pixels."""


def find_duplicates(image: Callable[[int], Pixels], count: int) -> list[Duplicate]:
    """Compares all pictures with all.

    Args:
        image: Row -> (H, W, 3) uint8 RGB of any size; called once a row.
        count: Number of rows.

    Returns:
        Pairs sorted by rows. Of several equal pictures each is paired with the first one only.
    """
    exact, rows, pictures = _first_of_equals(image, count)
    candidates = list(_candidates(pictures, 0, COARSE, CANDIDATE))
    for turn in range(1, len(TURNS)):
        candidates += _candidates(pictures, turn, TURNED, TURNED_CANDIDATE)

    def compare(candidate: Candidate) -> float:
        return likeness(pictures[candidate.first], TURNS[candidate.turn](pictures[candidate.second]))

    best: dict[tuple[int, int], float] = {}
    with ThreadPoolExecutor(usable_cores()) as threads:
        for candidate, value in zip(candidates, threads.map(compare, candidates), strict=True):
            pair = rows[candidate.first], rows[candidate.second]
            best[pair] = max(value, best.get(pair, 0.0))
    near = [Duplicate(*pair, min(value, 0.9999)) for pair, value in best.items() if value >= SAME]
    return sorted(exact + near)


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int32]:
    """Labels rows so that linked ones, directly or through others, share a label: (count,) int32."""
    first, second = np.array([*pairs], int).reshape(-1, 2).T
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def likeness(first: Pixels, second: Pixels) -> float:
    """Aligns two pictures and correlates their structure.

    Args:
        first: (FINE, FINE) uint8 grey levels.
        second: Likewise.

    Returns:
        -1 to 1; 0 where they cannot be aligned, or overlap by less than 60 %.
    """
    one, other = structure(first, 0.7, 4, 7), structure(second, 0.7, 4, 7)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, warp = cv2.findTransformECC(one, other, start, cv2.MOTION_AFFINE, criteria, None, 5)  # type: ignore[call-overload]
    except cv2.error:  # it does not converge: nothing in common
        return 0.0
    aligned = _warp(other, warp, cv2.INTER_LINEAR)
    overlap = _warp(np.ones_like(other), warp, cv2.INTER_NEAREST)
    return _correlation(one, aligned, _window(FINE) * overlap) if overlap.mean() >= 0.6 else 0.0


def structure(grey: Pixels, fine: float, coarse: float, local: float) -> Floats:
    """Takes brightness and contrast out of (S, S) uint8 grey levels.

    Args:
        grey: The picture.
        fine: Details below this standard deviation (pixels) are blurred away,
        coarse: and so is what is larger than this one.
        local: Over this standard deviation contrast is evened out.

    Returns:
        (S, S) float32 around 0.
    """
    levels = grey.astype(np.float32)
    details = cv2.GaussianBlur(levels, (0, 0), fine) - cv2.GaussianBlur(levels, (0, 0), coarse)
    contrast = np.sqrt(cv2.GaussianBlur(details * details, (0, 0), local))
    return np.asarray(details / (contrast + 3), np.float32)  # 3 grey levels: noise is no structure


def _first_of_equals(image: Callable[[int], Pixels], count: int) -> tuple[list[Duplicate], list[int], list[Pixels]]:
    """Pairs equal pictures; of the others keeps rows and small grey pictures."""
    exact: list[Duplicate] = []
    seen: dict[bytes, int] = {}
    rows, pictures = [], []
    for row in range(count):
        pixels = image(row)
        first = seen.setdefault(
            hashlib.blake2b(pixels.data, digest_size=16).digest() + repr(pixels.shape).encode(), row
        )
        if first != row:
            exact.append(Duplicate(first, row, 1.0))
            continue
        rows.append(row)
        pictures.append(resize_image(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8), FINE))
    return exact, rows, pictures


def _candidates(pictures: Sequence[Pixels], turn: int, side: int, threshold: float) -> Iterator[Candidate]:
    """Finds pairs (i, j), i < j, of which i looks like j turned, from far away; the best few of each picture."""
    straight = _descriptors(pictures, 0, side)
    turned = straight if turn == 0 else _descriptors(pictures, turn, side)
    starts = range(0, len(pictures), BLOCK)
    found = chain.from_iterable(_block(straight, turned, start, threshold) for start in starts)
    taken: Counter[int] = Counter()
    for _, first, second in sorted(found, reverse=True):
        if min(taken[first], taken[second]) < MOST_CANDIDATES:
            taken.update((first, second))
            yield Candidate(first, second, turn)


def _block(straight: Halves, turned: Halves, start: int, threshold: float) -> Iterator[tuple[float, int, int]]:
    """Correlates BLOCK pictures with all later ones: (correlation, i, j) above the threshold."""
    some = straight[start : start + BLOCK].astype(np.float32)
    for other in range(start, len(turned), BLOCK):
        table = some @ turned[other : other + BLOCK].astype(np.float32).T
        if other == start:
            table = np.triu(table, 1)
        most = min(MOST_CANDIDATES, table.shape[1])
        best = np.argpartition(table, -most, axis=1)[:, -most:]
        for i, j in np.argwhere(np.take_along_axis(table, best, axis=1) > threshold):
            yield float(table[i, best[i, j]]), start + int(i), other + int(best[i, j])


def _descriptors(pictures: Sequence[Pixels], turn: int, side: int) -> Halves:
    """Describes each picture by its structure as a unit vector: (N, side * side) float16; 0 where it has none."""
    described = np.zeros((len(pictures), side * side), np.float16)
    for row, picture in enumerate(pictures):
        small = resize_image(np.ascontiguousarray(TURNS[turn](picture)), side)
        vector = (structure(small, 1, 4, 6) * _window(side)).ravel()
        vector -= vector.mean()
        described[row] = vector / max(float(np.linalg.norm(vector)), 1.0)
    return described


@functools.cache
def _window(side: int) -> Floats:
    """Weighs the middle: the corners of a dermatoscope's picture are alike in all pictures."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    radius = np.hypot(*np.meshgrid(line, line))
    return np.clip((1.1 - radius) / 0.3, 0, 1).astype(np.float32)


def _warp(picture: Floats, warp: Any, interpolation: int) -> Floats:
    flags = cv2.WARP_INVERSE_MAP | interpolation
    return np.asarray(cv2.warpAffine(picture, warp, picture.shape[::-1], flags=flags), np.float32)


def _correlation(one: Floats, other: Floats, weight: Floats) -> float:
    """Weighted correlation coefficient; 0 where one of the two is constant."""
    total = weight.sum()
    one, other = one - (one * weight).sum() / total, other - (other * weight).sum() / total
    norm = np.sqrt((weight * one * one).sum() * (weight * other * other).sum())
    return float((weight * one * other).sum() / norm) if norm > 0 else 0.0
