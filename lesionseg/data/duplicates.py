"""Finding the same picture twice: copied, resized, recoloured, turned, mirrored, cropped or partly covered.

Public sets hold many such pairs, some with another white balance, of another day or without the camera's caption, so
neither file hashes nor the usual perceptual hashes find them. Here each picture becomes a small grey one without the
frame around it, and its keypoints are put into words. Pictures that share rare words are candidates; they count as one
if enough keypoints agree on how one lies on the other, and if the two, so aligned, have the same structure.

On the 2,150 ISIC 2017 training and validation images it finds 42 pairs, the least alike at 0.71. Each was looked at and
judged to show one lesion; a few of these judgements, on lesions photographed again, may be argued with.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lesionseg.cores import usable_cores
from lesionseg.data.keypoints import Agreement, Keypoints, agreement, keypoints, mirrored
from lesionseg.data.likeness import likeness
from lesionseg.data.portrait import SIDE, Portrait, portrait
from lesionseg.data.vocabulary import Vocabulary, nearest_rows, rarity, table_of, weighted

Pixels = NDArray[np.uint8]

SAME = 0.7
"""Likeness from which two pictures count as one,"""
AGREEING = 9
"""if at least so many keypoints agree."""
MOST_CANDIDATES = 20
"""Candidates of a picture that share most words with it; as many again share most with its mirror image."""
STRAIGHT = 8
"""Pixels of a portrait."""
TEACHERS = 200
"""Pictures that words are learnt from."""
BLOCK = 256
"""Pictures compared with all at a time, and pairs compared closely; bounds memory."""


class Duplicate(NamedTuple):
    """Two pictures of one thing."""

    first: int
    second: int
    """Rows, first < second."""
    likeness: float
    """Correlation of their aligned structure, at most 1; exactly 1.0 only for equal pixels."""
    is_straight: bool
    """Whether they lie as they are on each other: neither turned nor mirrored, nor cropped by much."""


class _Described(NamedTuple):
    """A picture's keypoints, and those of its mirror image, with reduced descriptors."""

    straight: Keypoints
    mirrored: Keypoints


class _Candidate(NamedTuple):
    """Two pictures that may be one; the second mirrored or not."""

    first: int
    second: int
    is_mirrored: bool


def find_duplicates(image: Callable[[int], Pixels], count: int) -> list[Duplicate]:
    """Compares all pictures with all.

    Args:
        image: Row -> (H, W, 3) uint8 RGB of any size; called once a row.
        count: Number of rows.

    Returns:
        See `duplicates_among`.
    """
    digests, portraits = [], []
    for row in range(count):
        pixels = image(row)
        digests.append(digest(pixels))
        portraits.append(portrait(pixels))
    return duplicates_among(digests, portraits)


def digest(pixels: Pixels) -> bytes:
    """Returns what only equal pixels share."""
    return hashlib.blake2b(pixels.data, digest_size=16).digest() + repr(pixels.shape).encode()


def duplicates_among(digests: Sequence[bytes], portraits: Sequence[Portrait]) -> list[Duplicate]:
    """Compares pictures, of which only a digest and a portrait are known, all with all.

    Returns:
        Pairs sorted by rows, enough to link all versions of a picture, directly or through others. Of several equal
        pictures each is paired with the first one only.
    """
    first_of: dict[bytes, int] = {}
    firsts = [first_of.setdefault(value, row) for row, value in enumerate(digests)]
    exact = [Duplicate(first, row, 1.0, True) for row, first in enumerate(firsts) if first != row]
    rows = list(first_of.values())
    with ThreadPoolExecutor(usable_cores()) as threads:
        near = list(_near([portraits[row] for row in rows], threads))
    return sorted(exact + [pair._replace(first=rows[pair.first], second=rows[pair.second]) for pair in near])


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int32]:
    """Labels rows so that linked ones, directly or through others, share a label: (count,) int32."""
    first, second = np.array([*pairs], int).reshape(-1, 2).T
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _near(portraits: Sequence[Portrait], threads: ThreadPoolExecutor) -> Iterator[Duplicate]:
    """Yields pairs that link what is alike, the surest first; what is linked already is not compared again."""
    teachers = portraits[:: -(-len(portraits) // TEACHERS) or 1]
    learnt = [points.descriptors for points in threads.map(keypoints, teachers) if len(points.places)]
    if not learnt:
        return
    vocabulary = Vocabulary(np.concatenate(learnt))
    described = list(threads.map(partial(_describe, vocabulary=vocabulary), portraits))
    candidates = sorted(_candidates(described, vocabulary))
    agreements = threads.map(lambda candidate: _agreement(candidate, described), candidates)
    promising = [(found, pair) for found, pair in zip(agreements, candidates, strict=True) if found.points >= AGREEING]
    promising.sort(key=lambda item: -item[0].points)
    linked = DisjointSet(range(len(portraits)))
    for start in range(0, len(promising), BLOCK):
        some = [(found, pair) for found, pair in promising[start : start + BLOCK] if not linked.connected(*pair[:2])]
        for (found, pair), value in zip(
            some, threads.map(lambda item: _likeness(item[0], item[1], portraits), some), strict=True
        ):
            if value >= SAME and linked.merge(*pair[:2]):
                is_straight = not pair.is_mirrored and _is_straight(found)
                yield Duplicate(pair.first, pair.second, min(value, 0.9999), is_straight)


def _describe(picture: Portrait, vocabulary: Vocabulary) -> _Described:
    straight = keypoints(picture)
    both = (straight, mirrored(straight))
    return _Described(
        *(points._replace(descriptors=vocabulary.reduced(points.descriptors).astype(np.float16)) for points in both)
    )


def _candidates(described: Sequence[_Described], vocabulary: Vocabulary) -> set[_Candidate]:
    """Finds pairs, first < second, that share words."""
    if len(described) <= MOST_CANDIDATES + 1:
        pairs = combinations(range(len(described)), 2)
        return {_Candidate(*pair, is_mirrored) for pair in pairs for is_mirrored in (False, True)}
    table = table_of([vocabulary.words(points.straight.descriptors.astype(np.float32)) for points in described])
    weights = rarity(table)
    whole = weighted(table, weights)
    found = set()
    for start in range(0, len(described), BLOCK):
        block = described[start : start + BLOCK]
        reflected = table_of([vocabulary.words(points.mirrored.descriptors.astype(np.float32)) for points in block])
        for is_mirrored, some in ((False, whole[start : start + BLOCK]), (True, weighted(reflected, weights))):
            best, _ = nearest_rows(some, whole, MOST_CANDIDATES + 1)
            for row, others in enumerate(best.tolist(), start):
                found |= {_Candidate(min(row, other), max(row, other), is_mirrored) for other in others if other != row}
    return found


def _agreement(candidate: _Candidate, described: Sequence[_Described]) -> Agreement:
    second = described[candidate.second]
    return agreement(described[candidate.first].straight, second.mirrored if candidate.is_mirrored else second.straight)


def _likeness(found: Agreement, candidate: _Candidate, portraits: Sequence[Portrait]) -> float:
    second = portraits[candidate.second]
    if candidate.is_mirrored:
        second = Portrait(*(np.ascontiguousarray(np.fliplr(pixels)) for pixels in second))
    return likeness(portraits[candidate.first], second, found.warp)


def _is_straight(found: Agreement) -> bool:
    """Tells whether no corner moves by more than STRAIGHT pixels."""
    corners = np.array([[x, y, 1] for x in (0, SIDE) for y in (0, SIDE)], np.float32)
    return bool(np.abs(corners @ found.warp.T - corners[:, :2]).max() <= STRAIGHT)
