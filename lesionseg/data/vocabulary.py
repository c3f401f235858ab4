"""Words for what keypoints look like, by which pictures that may be one are found among thousands.

Sivic & Zisserman, "Video Google: A Text Retrieval Approach to Object Matching in Videos", ICCV 2003; words are pairs of
two smaller ones (Babenko & Lempitsky, "The Inverted Multi-Index", CVPR 2012).
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.cluster import MiniBatchKMeans

Floats = NDArray[np.float32]

AXES = 24
"""Numbers that a descriptor is reduced to."""
HALF_WORDS = 256
"""For each half of them."""
NEAREST = 2
"""Half words that a half is given, since it may be near a border between them."""
LEARNT_FROM = 20_000
"""Descriptors at most."""


class Vocabulary:
    """Principal axes of descriptors, and words in their space.

    Args:
        descriptors: (N, 128) float32, N at least 1, of some of the pictures.
    """

    def __init__(self, descriptors: Floats) -> None:
        some = descriptors[:: -(-len(descriptors) // LEARNT_FROM)]
        self._mean = some.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov(some.T, ddof=0))
        self._axes = axes[:, ::-1][:, :AXES].astype(np.float32)
        self._some = some

    def reduced(self, descriptors: Floats) -> Floats:
        """Projects descriptors: (N, 128) float32 -> (N, AXES) float32 of length 1."""
        projected = (descriptors - self._mean) @ self._axes
        return np.asarray(projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-6), np.float32)

    @functools.cached_property
    def _centres(self) -> list[Floats]:
        """Half words; learnt when first needed, which among few pictures is never."""
        reduced = self.reduced(self._some)
        return [_centres(reduced[:, half::2]) for half in (0, 1)]

    def words(self, reduced: Floats) -> NDArray[np.int32]:
        """Numbers the words of (N, AXES) reduced descriptors: (N * NEAREST**2,)."""
        first, second = (_nearest(reduced[:, half::2], self._centres[half]) for half in (0, 1))
        return (first[:, :, None] * HALF_WORDS + second[:, None, :]).astype(np.int32).ravel()


def table_of(words: Sequence[NDArray[np.int32]]) -> csr_matrix:
    """Notes which pictures have which words: (pictures, words) of 1 and 0."""
    ends = np.cumsum([0, *map(len, words)])
    numbers = np.concatenate([*words, np.zeros(0, np.int32)])
    table = csr_matrix((np.ones(len(numbers), np.float32), numbers, ends), shape=(len(words), HALF_WORDS**2))
    table.sum_duplicates()
    table.data[:] = 1
    return table


def rarity(table: csr_matrix) -> Floats:
    """Weighs words, the rare ones most: (words,) float32, above 0."""
    pictures = np.asarray(table.sum(axis=0)).ravel()
    return np.log(1 + table.shape[0] / np.maximum(pictures, 1)).astype(np.float32)


def weighted(table: csr_matrix, weights: Floats) -> csr_matrix:
    """Multiplies words by their weights, and makes rows of length 1."""
    weighed = table.copy()
    weighed.data = weights[weighed.indices]
    lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    weighed.data /= np.repeat(np.maximum(lengths, 1e-6), np.diff(weighed.indptr)).astype(np.float32)
    return weighed


def nearest_rows(some: csr_matrix, table: csr_matrix, most: int) -> tuple[NDArray[np.int64], Floats]:
    """Finds the rows of a table that share most with each of some rows: (N, most) rows, and how much, unsorted."""
    shared = (some @ table.T).toarray()
    most = min(most, table.shape[0])
    best = np.argpartition(shared, -most, axis=1)[:, -most:]
    return best, np.take_along_axis(shared, best, axis=1)


def _centres(points: Floats) -> Floats:
    """Finds half words by k-means, from the same start each time."""
    count = min(HALF_WORDS, len(points))
    fitted = MiniBatchKMeans(count, n_init=1, batch_size=2048, max_iter=20, random_state=0).fit(points)
    return np.asarray(fitted.cluster_centers_, np.float32)


def _nearest(points: Floats, centres: Floats) -> NDArray[np.int64]:
    """Numbers the nearest centres of each point: (N, at most NEAREST)."""
    distances = (centres * centres).sum(axis=1) - 2 * points @ centres.T
    found = []
    for _ in range(min(NEAREST, len(centres))):
        found.append(distances.argmin(axis=1))
        distances[np.arange(len(points)), found[-1]] = np.inf
    return np.stack(found, axis=1)
