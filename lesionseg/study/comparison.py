"""Ranking of methods, and significance of their differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lesionseg.evaluation.statistics import HOW, Difference, holm, mean_intervals, paired_differences, signed_rank_p
from lesionseg.metrics.definitions import recorded_definitions, scale_ends
from lesionseg.metrics.formula import Definition
from lesionseg.study.method import Method
from lesionseg.study.scored_run import mean_diagonal

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
    """One method in the leaderboard.

    Attributes:
        rank: Rank from 1.
        label: Unique label.
        folders: Folders of the runs.
        seeds: Number of trainings on the same split.
        folds: Number of folds; 1 without cross-validation.
        scores: Score by metric.
    """

    rank: int
    label: str
    folders: Sequence[str]
    seeds: int
    folds: int
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Pair:
    """Difference of two methods.

    Attributes:
        first: Label of the method that ranks higher.
        second: Label of the other method.
        difference: First minus second in the main metric, paired by image.
        p: p-value of Wilcoxon's signed-rank test.
        adjusted_p: p-value adjusted by Holm's method for all pairs.
    """

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


def compare_methods(
    methods: Sequence[Method], labels: Sequence[str], *, metric: str, metrics: Sequence[str], resamples: int, seed: int
) -> Comparison:
    """Ranks methods by the main metric and compares every two of them in it.

    Args:
        methods: One method or more, all scored on the same images.
        labels: Label of each method.
        metric: Metric of the ranking; equal methods keep their order.
        metrics: Further metrics of the tables.
        resamples: Number of resamples of each interval.
        seed: Seed of the resamples.
    """
    definitions = methods[0].runs[0].metrics
    row = list(definitions).index(metric)
    sign = -1 if definitions[metric].higher_is_better else 1
    order = sorted(range(len(methods)), key=lambda number: sign * methods[number].scores[row].mean())
    ranked = [(labels[number], methods[number]) for number in order]
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


def _standing(rank: int, label: str, method: Method, resamples: int, seed: int) -> Standing:
    definitions = method.runs[0].metrics
    ends = scale_ends(definitions, mean_diagonal(method.runs))
    intervals = mean_intervals(method.scores, ends=ends, resamples=resamples, seed=seed)
    means = method.scores.mean(axis=1)
    bounds = [interval or (None, None) for interval in intervals]
    deviations: list[float | None] = [None] * len(definitions)
    if method.repetitions > 1:
        deviations = [float(value) for value in method.repetition_means.std(axis=0, ddof=1)]
    scores = {
        name: Score(float(mean), low, high, deviation)
        for name, mean, (low, high), deviation in zip(definitions, means, bounds, deviations, strict=True)
    }
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
