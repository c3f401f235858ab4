"""Splits: groups of images dealt out by a seed, evenly by lesion size, and written down with a hash."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from lesionseg.data.names import as_read
from lesionseg.data.source import PARTS, Part
from lesionseg.errors import InputError, raise_all

MOST_BINS = 5
"""Lesion sizes are told apart by fifths, or coarser where there are too few images."""


def cut(ids: Sequence[str], *, share: float, groups: Sequence[int], sizes: Sequence[float], seed: int) -> set[str]:
    """Takes a share of the images away, whole groups only, with the same mix of lesion sizes as the rest.

    Args:
        ids: Of the images, in any order.
        share: Of the groups, above 0 and below 1; at least one group is taken and one left.
        groups: A label for each image; images of one label stay together.
        sizes: Each image's lesion size, in any unit.
        seed: Fixes the draw.

    Raises:
        InputError: There are fewer than two groups.
    """
    order, units = _units(ids, groups)
    count = int(units.max(initial=-1)) + 1
    if count < 2:
        raise InputError(f"{len(ids)} images of {count} lesions are too few to split; give at least 2 lesions")
    taken = min(max(1, round(count * share)), count - 1)
    means = np.bincount(units, np.asarray(sizes, float)[order]) / np.bincount(units)
    strata = size_bins(means, most=min(MOST_BINS, taken, count - taken, count // 2))
    _, chosen = train_test_split(np.arange(count), test_size=taken, random_state=seed, stratify=strata)
    return {ids[index] for index in order[np.isin(units, chosen)]}


def fold_of(
    ids: Sequence[str], *, folds: int, fold: int, groups: Sequence[int], sizes: Sequence[float], seed: int
) -> set[str]:
    """Takes one fold of a cross-validation; the folds of one seed are disjoint and complete.

    Args:
        ids: Of the images, in any order.
        folds: Number of folds.
        fold: Which one, 0 to folds - 1.
        groups: A label for each image; images of one label stay together.
        sizes: Each image's lesion size; each fold gets the same mix.
        seed: Fixes the draw.

    Raises:
        InputError: There are fewer groups than folds.
    """
    order, units = _units(ids, groups)
    count = int(units.max(initial=-1)) + 1
    if count < folds:
        raise InputError(f"{len(ids)} images of {count} lesions cannot make {folds} folds; give a smaller data.folds")
    strata = size_bins(np.asarray(sizes, float)[order], most=min(MOST_BINS, count // folds))
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    _, chosen = list(splitter.split(strata, strata, units))[fold]
    return {ids[index] for index in order[chosen]}


def size_bins(sizes: NDArray[np.float64], *, most: int) -> NDArray[np.int64]:
    """Numbers sizes by quantile, 0 for the smallest: (N,) in 0..bins-1, bins as even as possible, at most `most`."""
    ranks = np.argsort(np.argsort(sizes, kind="stable"), kind="stable")
    return ranks * max(1, most) // max(1, len(sizes))


def _units(ids: Sequence[str], groups: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorts images by id and numbers their groups as they first appear: what a draw gives depends on nothing else."""
    order = np.argsort(np.asarray(ids, str), kind="stable")
    _, first, inverse = np.unique(np.asarray(groups)[order], return_index=True, return_inverse=True)
    return order, np.argsort(np.argsort(first))[inverse]


def manifest(parts: Mapping[Part, Sequence[str]], how: Mapping[str, Any]) -> dict[str, Any]:
    """Writes a split down: the sorted ids of each part, the SHA-256 of exactly that, and how it came about.

    The hash is of names: it says that two runs divided the same ids alike. What is in the files, the key `files` says,
    which training adds; see `lesionseg.data.digests`.
    """
    ids = {part: sorted(parts.get(part, ())) for part in sorted(PARTS)}
    return {"parts": ids, "sha256": _hash(ids), "how": dict(how)}


def read_manifest(path: Path, known: Sequence[str]) -> dict[Part, list[str]]:
    """Reads the parts of a manifest, as training writes them to split.json or as anyone may write them.

    Args:
        path: JSON: `{"parts": {"train": [ids], "validation": [ids], "test": [ids]}}`, of which `test` may be missing;
            with `sha256`, the ids must be what was hashed.
        known: Ids the source has; those that the manifest does not name are in no part.

    Raises:
        InputError: The file is missing or no manifest, names an unknown id or one twice, or was changed.
    """
    with _understood(path):
        written = json.loads(path.read_text(encoding="utf-8"))
        parts = {part: [str(id_) for id_ in written["parts"].get(part, [])] for part in sorted(PARTS)}
        unknown_parts = sorted(set(written["parts"]) - set(PARTS))
    known_as = {as_read(id_): id_ for id_ in known}
    hash_fits = written.get("sha256") in (None, _hash(parts))
    parts = {part: [known_as.get(as_read(id_), id_) for id_ in members] for part, members in parts.items()}
    everyone = [id_ for members in parts.values() for id_ in members]
    findings = [f"there is no part {part}; allowed: {', '.join(PARTS)}" for part in unknown_parts]
    findings += [f"the data have no image {id_}" for id_ in sorted(set(everyone) - set(known))]
    findings += [f"{id_} is listed more than once" for id_, times in sorted(Counter(everyone).items()) if times > 1]
    findings += [f"part {part} is empty" for part in ("train", "validation") if not parts[part]]
    if not hash_fits:
        findings.append("the ids are not those of its sha256; if the change was meant, take sha256 out")
    raise_all(f"data.split={path} does not fit:", findings)
    return {part: sorted(parts[part]) for part in PARTS}


def read_digests(path: Path) -> dict[str, str]:
    """Reads the digests of a manifest's files; none where it has none, as an older one or one written by hand.

    Raises:
        InputError: The file is missing or no manifest.
    """
    with _understood(path):
        files = json.loads(path.read_text(encoding="utf-8")).get("files") or {}
        return {str(id_): str(digests) for id_, digests in files.items()}


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Says what a manifest is where a file is none."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"data.split={path}: not a manifest ({type(error).__name__}: {error}); expected JSON with parts, and in it "
            f"a list of ids for each of {', '.join(PARTS)}"
        ) from error


def _hash(parts: Mapping[Part, Sequence[str]]) -> str:
    ids = {part: sorted(members) for part, members in parts.items()}
    canonical = json.dumps(ids, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
