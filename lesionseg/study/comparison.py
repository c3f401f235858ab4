"""Comparison of evaluated runs: agreement, ranking, and significance of differences."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from omegaconf import DictConfig

from lesionseg.config.build import flat
from lesionseg.config.value_checks import range_faults
from lesionseg.errors import raise_all
from lesionseg.evaluation.statistics import HOW, Difference, holm, paired_differences, signed_rank_p
from lesionseg.metrics.definitions import own_names, recorded_definitions
from lesionseg.metrics.formula import Definition
from lesionseg.study.method import Method, labels_of, methods_of
from lesionseg.study.scored_run import Run, estimates, metric_faults, read_runs, shared_metrics

NAMED = 3
"""Largest number of runs, keys or images that a line names."""
NOTE = (
    f"{HOW}. Scores are averaged over seeds first. How far seeds lie apart is no part of the intervals and is shown as "
    "SD over seeds. Differences are paired by image; p is Wilcoxon's two-sided signed-rank test, adjusted by Holm for "
    "all pairs."
)


@dataclass(frozen=True)
class Score:
    """A method's mean over images and seeds.

    Attributes:
        value: Mean.
        low: Lower end of the 95 % interval over images; None for one image.
        high: Upper end of the interval; None for one image.
        seed_deviation: Standard deviation over seeds of the mean over images; None for one seed.
    """

    value: float
    low: float | None
    high: float | None
    seed_deviation: float | None


@dataclass(frozen=True)
class Standing:
    """One method in the leaderboard, with its number of trainings on the same split and its score by metric."""

    rank: int
    label: str
    folders: Sequence[str]
    seeds: int
    folds: int
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Pair:
    """Difference of two methods in the main metric, first minus second, of which the first ranks higher."""

    first: str
    second: str
    difference: Difference
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        metric: Main metric.
        metrics: Metrics of the tables, the main one among them.
        images: Number of images.
        standings: Leaderboard, the best first.
        pairs: All pairs of methods in the order of their ranks.
        resamples: Number of resamples of each interval.
        seed: Seed of the resamples.
        definitions: Definitions of the metrics as an evaluation records them.
    """

    metric: str
    metrics: Sequence[str]
    images: int
    standings: Sequence[Standing]
    pairs: Sequence[Pair]
    resamples: int
    seed: int
    definitions: Mapping[str, Any]

    @property
    def titles(self) -> dict[str, Definition]:
        """Definition by metric."""
        return recorded_definitions(self.definitions)


def compared_runs(cfg: DictConfig) -> Comparison:
    """Reads and compares the evaluations `cfg.runs`.

    Raises:
        InputError: A setting or a run is wrong, or the runs cannot be compared.
    """
    runs = shared_metrics(read_runs(cfg.runs))
    measured = list(runs[0].metrics)
    faults = [*metric_faults(cfg, "metrics", measured), *range_faults({"resamples": cfg.resamples, "seed": cfg.seed})]
    raise_all("The configuration has faults:", faults)
    methods = methods_of(runs)
    check_agreement(methods)
    metrics = [*cfg.metrics, *own_names(measured)]
    return compare_methods(methods, metric=cfg.metric, metrics=metrics, resamples=cfg.resamples, seed=cfg.seed)


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


def compare_methods(
    methods: Sequence[Method], *, metric: str, metrics: Sequence[str], resamples: int, seed: int
) -> Comparison:
    """Ranks methods by the main metric, where equal ones keep their order, and compares every two of them in it.

    `metrics` are the further metrics of the tables. All methods must be scored on the same images.
    """
    definitions = methods[0].runs[0].metrics
    row = list(definitions).index(metric)
    labelled = zip(labels_of(methods), methods, strict=True)
    is_better = definitions[metric].higher_is_better
    ranked = sorted(labelled, key=lambda one: -one[1].scores[row].mean() if is_better else one[1].scores[row].mean())
    return Comparison(
        metric=metric,
        metrics=list(dict.fromkeys(metrics if metric in metrics else [metric, *metrics])),
        images=len(methods[0].targets),
        standings=[_standing(rank, *one, resamples, seed) for rank, one in enumerate(ranked, 1)],
        pairs=_pairs(ranked, row, resamples, seed),
        resamples=resamples,
        seed=seed,
        definitions=methods[0].runs[0].definitions,
    )


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
    return [_image_fault(group, methods[0].targets) for group in groups.values()] if len(groups) > 1 else []


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


def _standing(rank: int, label: str, method: Method, resamples: int, seed: int) -> Standing:
    found = estimates(method.scores, method.runs, resamples=resamples, seed=seed)
    deviations: list[float | None] = [None] * len(found)
    if method.repetitions > 1:
        deviations = method.repetition_means.std(axis=0, ddof=1).tolist()
    pairs = zip(found.items(), deviations, strict=True)
    scores = {name: Score(one.value, one.low, one.high, deviation) for (name, one), deviation in pairs}
    folders = [str(run.folder) for run in method.runs]
    return Standing(rank, label, folders, method.repetitions, method.folds, scores)


def _pairs(ranked: Sequence[tuple[str, Method]], row: int, resamples: int, seed: int) -> list[Pair]:
    chosen = list(combinations(ranked, 2))
    rows = [(first.scores[row], second.scores[row]) for (_, first), (_, second) in chosen]
    differences = paired_differences(rows, resamples=resamples, seed=seed)
    p_values = [signed_rank_p(first, second) for first, second in rows]
    names = [(first, second) for (first, _), (second, _) in chosen]
    found = zip(names, differences, p_values, holm(p_values), strict=True)
    return [Pair(*labels, difference, p, adjusted) for labels, difference, p, adjusted in found]
