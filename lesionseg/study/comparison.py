"""The numbers of a comparison: who leads, and which differences are more than chance."""

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
    """A method's mean.

    Attributes:
        value: Over images and seeds.
        low: Lower end of its 95 % interval over images; None for one image.
        high: Upper end likewise.
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
        rank: From 1.
        label: Unique.
        folders: Of its runs.
        seeds: How often it was trained on the same division of the images.
        folds: Of its cross-validation; 1 without.
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
    """Two methods.

    Attributes:
        first: Label of the one that ranks higher.
        second: Label of the other.
        difference: First minus second in the main metric, paired by image.
        p: Of Wilcoxon's signed-rank test.
        adjusted_p: By Holm's method for all pairs.
    """

    first: str
    second: str
    difference: Difference
    p: float
    adjusted_p: float


@dataclass(frozen=True)
class Comparison:
    """Everything a comparison found.

    Attributes:
        metric: The main one.
        metrics: Shown, the main one among them.
        images: Number of images.
        standings: The best first.
        pairs: Every two methods, in the order of their ranks.
        resamples: Of each interval.
        seed: Of the intervals.
        definitions: What the numbers mean.
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
        """What is known of each metric."""
        return recorded_definitions(self.definitions)


def compare_methods(
    methods: Sequence[Method], labels: Sequence[str], *, metric: str, metrics: Sequence[str], resamples: int, seed: int
) -> Comparison:
    """Ranks methods by the main metric and compares every two of them in it.

    Args:
        methods: At least one, all scored on the same images.
        labels: Of each method.
        metric: Ranks the methods, in the direction of its definition. Equal methods are ranked as they came.
        metrics: Further ones to show.
        resamples: Of each interval.
        seed: Of the intervals.
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
