"""Finds pictures that show the same: copied, resized, recoloured, turned, mirrored, cropped or partly covered.

Public sets hold many such pairs, some with another white balance, of another day or without the camera's caption, so
neither file hashes nor the usual perceptual hashes find them. Here the keypoints of each picture are put into words,
and pictures that share rare words are candidates (Sivic & Zisserman, "Video Google: A Text Retrieval Approach to Object
Matching in Videos", ICCV 2003). A word is a pair of two half words (Babenko & Lempitsky, "The Inverted Multi-Index",
CVPR 2012). Candidates count as one picture if enough keypoints agree on how one lies on the other, and if the two, so
aligned, have the same structure.

On the 2,150 ISIC 2017 training and validation images it finds 42 pairs, the least alike at 0.71. Each was looked at and
judged to show one lesion; a few of these judgements, on lesions photographed again, may be argued with.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import MiniBatchKMeans
from sklearn.preprocessing import normalize

from lesionseg.data.likeness import (
    SIDE,
    Agreement,
    Keypoints,
    Portrait,
    agreement,
    keypoints,
    likeness,
    mirrored,
    portrait,
)
from lesionseg.system.machine import usable_cores

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Views = tuple[Keypoints, Keypoints]
"""Keypoints of a picture and of its mirror image, with reduced descriptors."""

SAME = 0.7  # likeness from which two pictures count as one
AGREEING = 9  # fewest keypoints that agree in two pictures that count as one
MOST_CANDIDATES = 20  # pictures that share most words with one; as many again share most with its mirror image
STRAIGHT = 8  # largest movement of a corner, in pixels of a portrait, for pictures that lie straight on each other
TEACHERS = 200  # most pictures that words are learnt from
BLOCK = 256  # pictures compared with all at a time, and pairs compared closely, which bounds memory
AXES = 24  # numbers that the descriptor of a keypoint is reduced to
HALF_WORDS = 256  # words for each half of a reduced descriptor
NEAREST = 2  # half words given to a half, which may be near a border between them
LEARNT_FROM = 20_000  # most descriptors that words are learnt from


class Duplicate(NamedTuple):
    """Two pictures of one thing."""

    first: int
    second: int  # rows, first < second
    likeness: float  # correlation of their aligned structure, at most 1; exactly 1.0 only for equal pixels
    is_straight: bool  # whether they lie on each other as they are: neither turned nor mirrored, nor cropped by much


class _Candidate(NamedTuple):
    """Two pictures that may be one; the second mirrored or not."""

    first: int
    second: int
    is_mirrored: bool


def find_duplicates(image: Callable[[int], Pixels], count: int) -> list[Duplicate]:
    """Compares the pictures of all rows and returns what `duplicates_among` does.

    `image` returns that of a row, (H, W, 3) uint8 RGB of any size, and is called once a row.
    """
    seen = [(digest(pixels), portrait(pixels)) for pixels in map(image, range(count))]
    return duplicates_among([value for value, _ in seen], [picture for _, picture in seen])


def digest(pixels: Pixels) -> bytes:
    """Returns a hash that only equal pixels share."""
    return hashlib.blake2b(pixels.data, digest_size=16).digest() + repr(pixels.shape).encode()


def duplicates_among(digests: Sequence[bytes], portraits: Sequence[Portrait]) -> list[Duplicate]:
    """Compares all pictures, given by their digests and portraits, with all.

    Returns:
        Pairs sorted by rows, enough to link all versions of a picture, directly or through others. Of several equal
        pictures each is paired with the first one only.
    """
    first_of: dict[bytes, int] = {}
    firsts = [first_of.setdefault(value, row) for row, value in enumerate(digests)]
    exact = [Duplicate(first, row, 1.0, True) for row, first in enumerate(firsts) if first != row]
    rows = list(first_of.values())
    with ThreadPoolExecutor(usable_cores()) as threads:
        near = list(_near_duplicates([portraits[row] for row in rows], threads))
    return sorted(exact + [pair._replace(first=rows[pair.first], second=rows[pair.second]) for pair in near])


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int32]:
    """Labels rows so that linked ones, directly or through others, share a label: (count,) int32."""
    first, second = np.array([*pairs], int).reshape(-1, 2).T
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _near_duplicates(portraits: Sequence[Portrait], threads: ThreadPoolExecutor) -> Iterator[Duplicate]:
    """Yields pairs that link like pictures, the surest first; linked pictures are not compared again."""
    teachers = portraits[:: -(-len(portraits) // TEACHERS) or 1]
    learnt = [points.descriptors for points in threads.map(keypoints, teachers) if len(points.places)]
    if not learnt:
        return
    vocabulary = _Vocabulary(np.concatenate(learnt))
    described = list(threads.map(vocabulary.described, portraits))
    candidates = sorted(_candidates(described, vocabulary))
    agreements = threads.map(
        lambda pair: agreement(described[pair.first][0], described[pair.second][pair.is_mirrored]), candidates
    )
    promising = [(found, pair) for found, pair in zip(agreements, candidates, strict=True) if found.points >= AGREEING]
    promising.sort(key=lambda item: -item[0].points)
    linked = DisjointSet(range(len(portraits)))
    for start in range(0, len(promising), BLOCK):
        some = [(found, pair) for found, pair in promising[start : start + BLOCK] if not linked.connected(*pair[:2])]
        values = threads.map(lambda item: _likeness(item[0], item[1], portraits), some)
        for (found, pair), value in zip(some, values, strict=True):
            if value >= SAME and linked.merge(*pair[:2]):
                is_straight = not pair.is_mirrored and _is_straight(found)
                yield Duplicate(pair.first, pair.second, min(value, 0.9999), is_straight)


class _Vocabulary:
    """Principal axes of descriptors, and words in their space.

    Args:
        descriptors: (N, NUMBERS) float32, N at least 1, of some of the pictures.
    """

    def __init__(self, descriptors: Floats) -> None:
        self._some = descriptors[:: -(-len(descriptors) // LEARNT_FROM)]
        self._mean = self._some.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov(self._some.T, ddof=0))
        self._axes = axes[:, ::-1][:, :AXES].astype(np.float32)

    def described(self, picture: Portrait) -> Views:
        """Finds the keypoints of a picture and reduces their descriptors to (N, AXES) float16."""
        points = keypoints(picture)
        return self._compact(points), self._compact(mirrored(points))

    def _compact(self, points: Keypoints) -> Keypoints:
        return points._replace(descriptors=self._reduced(points.descriptors).astype(np.float16))

    def table(self, pictures: Sequence[Keypoints]) -> csr_matrix:
        """Notes which pictures have which words: (pictures, words) of 1 and 0."""
        words = [self._words(points.descriptors.astype(np.float32)) for points in pictures]
        ends = np.cumsum([0, *map(len, words)])
        numbers = np.concatenate(words)
        table = csr_matrix((np.ones(len(numbers), np.float32), numbers, ends), shape=(len(words), HALF_WORDS**2))
        table.sum_duplicates()
        table.data[:] = 1
        return table

    def _reduced(self, descriptors: Floats) -> Floats:
        """Projects (N, NUMBERS) descriptors to (N, AXES) float32 of length 1."""
        projected = (descriptors - self._mean) @ self._axes
        return np.asarray(projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-6), np.float32)

    def _words(self, reduced: Floats) -> NDArray[np.int32]:
        """Returns the words of (N, AXES) reduced descriptors by number: (N * NEAREST**2,)."""
        first, second = (_nearest(reduced[:, half::2], self._centres[half]) for half in (0, 1))
        return (first[:, :, None] * HALF_WORDS + second[:, None, :]).astype(np.int32).ravel()

    @functools.cached_property
    def _centres(self) -> list[Floats]:
        """Half words by k-means, always the same; learnt when first needed, which is never among few pictures."""
        reduced = self._reduced(self._some)
        means = MiniBatchKMeans(min(HALF_WORDS, len(reduced)), n_init=1, batch_size=2048, max_iter=20, random_state=0)
        return [np.asarray(means.fit(reduced[:, half::2]).cluster_centers_, np.float32) for half in (0, 1)]


def _nearest(points: Floats, centres: Floats) -> NDArray[np.int64]:
    """Returns the numbers of the nearest centres of each point: (N, at most NEAREST)."""
    distances = (centres * centres).sum(axis=1) - 2 * points @ centres.T
    found = []
    for _ in range(min(NEAREST, len(centres))):
        found.append(distances.argmin(axis=1))
        distances[np.arange(len(points)), found[-1]] = np.inf
    return np.stack(found, axis=1)


def _candidates(described: Sequence[Views], vocabulary: _Vocabulary) -> set[_Candidate]:
    """Finds pairs, first < second, that share rare words."""
    if len(described) <= MOST_CANDIDATES + 1:
        pairs = combinations(range(len(described)), 2)
        return {_Candidate(*pair, is_mirrored) for pair in pairs for is_mirrored in (False, True)}
    table = vocabulary.table([straight for straight, _ in described])
    rarity = np.log(1 + len(described) / np.maximum(np.asarray(table.sum(axis=0)).ravel(), 1)).astype(np.float32)
    whole = _weighted(table, rarity)
    found = set()
    for start in range(0, len(described), BLOCK):
        mirrors = vocabulary.table([reflected for _, reflected in described[start : start + BLOCK]])
        for is_mirrored, some in ((False, whole[start : start + BLOCK]), (True, _weighted(mirrors, rarity))):
            shared = (some @ whole.T).toarray()
            best = np.argpartition(shared, -MOST_CANDIDATES - 1, axis=1)[:, -MOST_CANDIDATES - 1 :]
            for row, others in enumerate(best.tolist(), start):
                found |= {_Candidate(min(row, other), max(row, other), is_mirrored) for other in others if other != row}
    return found


def _weighted(table: csr_matrix, weights: Floats) -> csr_matrix:
    """Multiplies words by their weights, and makes rows of length 1."""
    weighted = table.copy()
    weighted.data = weights[weighted.indices]
    return csr_matrix(normalize(weighted, copy=False))


def _likeness(found: Agreement, candidate: _Candidate, portraits: Sequence[Portrait]) -> float:
    second = portraits[candidate.second]
    if candidate.is_mirrored:
        second = Portrait(*(np.ascontiguousarray(np.fliplr(pixels)) for pixels in second))
    return likeness(portraits[candidate.first], second, found.warp)


def _is_straight(found: Agreement) -> bool:
    """Returns whether no corner moves by more than STRAIGHT pixels."""
    corners = np.array([[x, y, 1] for x in (0, SIDE) for y in (0, SIDE)], np.float32)
    return bool(np.abs(corners @ found.warp.T - corners[:, :2]).max() <= STRAIGHT)
