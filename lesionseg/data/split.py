"""Splits: who is in which part, cut by a seed and written down with a hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from sklearn.model_selection import train_test_split

from lesionseg.errors import InputError, raise_all


def hold_out(
    ids: Sequence[str], *, validation_share: float, test_share: float, seed: int
) -> tuple[list[str], list[str], list[str]]:
    """Cuts ids into training, validation and test, shuffled by `seed`, each sorted.

    Raises:
        InputError: There are too few ids for every part to get one.
    """
    validation_count = max(1, round(len(ids) * validation_share))
    test_count = max(1, round(len(ids) * test_share)) if test_share > 0 else 0
    if len(ids) - validation_count - test_count < 1:
        raise InputError(f"{len(ids)} images are too few to split into training, validation and test; give at least 3")
    rest, validation = train_test_split(sorted(ids), test_size=validation_count, random_state=seed)
    train, test = train_test_split(rest, test_size=test_count, random_state=seed) if test_count else (rest, [])
    return sorted(train), sorted(validation), sorted(test)


def manifest(parts: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Writes a split down: the sorted ids of each part and the SHA-256 of exactly that.

    Raises:
        InputError: An id is in more than one part: results on it would be worthless.
    """
    ids = {part: sorted(members) for part, members in sorted(parts.items())}
    seen: dict[str, str] = {}
    findings = []
    for part, members in ids.items():
        findings += [f"{id_} is in {seen[id_]} and in {part}" for id_ in members if id_ in seen]
        seen.update(dict.fromkeys(members, part))
    raise_all("The parts of the split overlap; take each image out of all parts but one:", findings)
    canonical = json.dumps(ids, sort_keys=True, separators=(",", ":"))
    return {"parts": ids, "sha256": hashlib.sha256(canonical.encode()).hexdigest()}
