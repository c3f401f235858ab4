"""Comparison of evaluated runs: reading, checking, computing, reporting."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lesionseg.config.nested import flat
from lesionseg.config.value_checks import range_faults
from lesionseg.errors import raise_all
from lesionseg.metrics.definitions import own_names
from lesionseg.study.comparison import compare_methods
from lesionseg.study.comparison_report import report_comparison
from lesionseg.study.method import Method, labels_of, methods_of
from lesionseg.study.scored_run import Run, read_runs, shared_metrics

NAMED = 3
"""Number of runs, keys or images that a line names."""


def compare_runs(cfg: DictConfig) -> dict[str, float]:
    """Compares the evaluations `cfg.runs`, prints the result and writes it below `cfg.run_dir`.

    Returns:
        Mean of `cfg.metric` by label, the best first.

    Raises:
        InputError: A setting or a run is wrong, or the runs cannot be compared; nothing is written.
    """
    runs = shared_metrics(read_runs(cfg.runs))
    raise_all("The configuration has faults:", _setting_faults(cfg, list(runs[0].metrics)))
    methods = methods_of(runs)
    check_agreement(methods)
    comparison = compare_methods(
        methods,
        labels_of(methods),
        metric=cfg.metric,
        metrics=[*cfg.metrics, *own_names(runs[0].metrics)],
        resamples=cfg.resamples,
        seed=cfg.seed,
    )
    report_comparison(comparison, Path(cfg.run_dir))
    return {standing.label: standing.scores[cfg.metric].value for standing in comparison.standings}


def check_agreement(methods: Sequence[Method]) -> None:
    """Checks that all methods were scored on the same images with the same definitions.

    Raises:
        InputError: They were not; lists every disagreement.
    """
    runs = [run for method in methods for run in method.runs]
    faults = [*_definition_faults(runs), *_image_faults(methods)]
    if not faults and all(method.folds == 1 for method in methods):
        faults = _fingerprint_faults(runs)
    raise_all("The runs cannot be compared:", faults)


def _definition_faults(runs: Sequence[Run]) -> list[str]:
    """Lists the definitions in which each run differs from the first."""
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
    """Returns the definitions that scores depend on; titles may change between versions."""
    metrics = {name: {"unit": one.unit, "meaning": one.meaning} for name, one in run.metrics.items()}
    return {**run.definitions, "metrics": metrics}


def _image_faults(methods: Sequence[Method]) -> list[str]:
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
    """Compares the summaries' fingerprints, which reveals a summary and a table from different evaluations."""
    groups: dict[str, list[str]] = {}
    for run in runs:
        groups.setdefault(run.test_set_sha256, []).append(str(run.folder))
    if len(groups) == 1:
        return []
    return [f"{_listed(folders[:NAMED], len(folders))}: test set {key[:8]}" for key, folders in groups.items()]


def _listed(words: Sequence[str], count: int) -> str:
    more = f" and {count - len(words)} more" if count > len(words) else ""
    return ", ".join(words) + more


def _setting_faults(cfg: DictConfig, measured: Sequence[str]) -> list[str]:
    chosen = [("metric", cfg.metric), *(("metrics", name) for name in cfg.metrics)]
    faults = [f"{key} is {name}; allowed: {', '.join(measured)}" for key, name in chosen if name not in measured]
    return [*faults, *range_faults({"resamples": cfg.resamples, "seed": cfg.seed})]
