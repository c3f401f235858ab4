"""Whether methods were scored on the same images with the same definitions; otherwise their numbers say nothing."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lesionseg.config.nested import flat
from lesionseg.errors import raise_all
from lesionseg.study.method import Method
from lesionseg.study.scored_run import Run

NAMED = 3
"""So many runs, keys or images are named in a line."""


def check_agreement(methods: Sequence[Method]) -> None:
    """Raises `InputError` with every disagreement, or returns when there is none."""
    runs = [run for method in methods for run in method.runs]
    faults = [*_definition_faults(runs), *_image_faults(methods)]
    if not faults and all(method.folds == 1 for method in methods):
        faults = _fingerprint_faults(runs)
    raise_all("The runs cannot be compared:", faults)


def _definition_faults(runs: Sequence[Run]) -> list[str]:
    """Says which definitions each run has other than the first one's."""
    first = runs[0]
    faults = []
    for run in runs[1:]:
        mine, theirs = (flat(_comparable(one)) for one in (first, run))
        keys = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
        values = [f"{key} is {mine.get(key)!r} and {theirs.get(key)!r}" for key in keys[:NAMED]]
        if keys:
            faults.append(f"{first.folder} and {run.folder} measured differently: {_listed(values, len(keys))}")
    return faults


def _comparable(run: Run) -> dict[str, Any]:
    """Returns what numbers depend on; titles may change from version to version."""
    metrics = {name: {"unit": one.unit, "meaning": one.meaning} for name, one in run.metrics.items()}
    return {**run.definitions, "metrics": metrics}


def _image_faults(methods: Sequence[Method]) -> list[str]:
    """Says who was scored on which images, where these are not the same for all."""
    groups: dict[str, list[Method]] = {}
    for method in methods:
        groups.setdefault(json.dumps(sorted(method.targets.items())), []).append(method)
    if len(groups) == 1:
        return []
    reference = methods[0].targets
    return [_image_fault(group, reference) for group in groups.values()]


def _image_fault(group: Sequence[Method], reference: Mapping[str, str]) -> str:
    targets = group[0].targets
    lacking, added = sorted(reference.keys() - targets.keys()), sorted(targets.keys() - reference.keys())
    changed = sorted(id_ for id_ in targets.keys() & reference.keys() if targets[id_] != reference[id_])
    kinds = {"it lacks": lacking, "only it has": added, "another ground truth for": changed}
    words = [f"{kind} {_listed(ids[:NAMED], len(ids))}" for kind, ids in kinds.items() if ids]
    runs = [run for method in group for run in method.runs]
    compared = f"; against the first, {'; '.join(words)}" if words else ""
    names = _listed([str(run.folder) for run in runs[:NAMED]], len(runs))
    return f"{names}: {len(targets)} images (test set {runs[0].test_set_sha256[:8]}){compared}"


def _fingerprint_faults(runs: Sequence[Run]) -> list[str]:
    """Compares what the summaries say of the images: a summary and a table of different evaluations show here."""
    groups: dict[str, list[str]] = {}
    for run in runs:
        groups.setdefault(run.test_set_sha256, []).append(str(run.folder))
    if len(groups) == 1:
        return []
    return [f"{_listed(folders[:NAMED], len(folders))}: test set {key[:8]}" for key, folders in groups.items()]


def _listed(words: Sequence[str], count: int) -> str:
    more = f" and {count - len(words)} more" if count > len(words) else ""
    return ", ".join(words) + more
