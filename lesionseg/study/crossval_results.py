"""The numbers of a cross-validation: each training's, over folds, over seeds and over all images."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.evaluation.statistics import mean_intervals
from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import recorded_definitions, scale_ends
from lesionseg.metrics.formula import Definition
from lesionseg.study.crossval_plan import Training
from lesionseg.study.scored_run import Run, mean_diagonal

Array = NDArray[np.float64]
Scored = tuple[Training, Run]
"""A training, and its evaluation."""


@dataclass(frozen=True)
class TrainingScores:
    """What one training scores.

    Attributes:
        name: Of the training.
        fold: Which it validates on; None without folds.
        seed: None where it is the configured one.
        images: So many it was scored on.
        means: Mean over these images by metric.
    """

    name: str
    fold: int | None
    seed: int | None
    images: int
    means: Mapping[str, float]


@dataclass(frozen=True)
class Spread:
    """How far several means lie apart.

    Attributes:
        mean: Of the means.
        deviation: Their standard deviation, with one less than their number below the line.
        lowest: Of the means.
        highest: Likewise.
    """

    mean: float
    deviation: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class PartResults:
    """What the trainings score on one part of the data.

    Attributes:
        trainings: In the order of the plan.
        images: Number of different images.
        overall: Mean over all images, each image's scores being averaged over trainings first, with its 95 %
            interval; by metric.
        over_folds: Of each fold's mean over images and seeds; None for fewer than two folds.
        over_seeds: Of each seed's mean over the images of all folds; None for fewer than two seeds.
    """

    trainings: Sequence[TrainingScores]
    images: int
    overall: Mapping[str, Estimate]
    over_folds: Mapping[str, Spread] | None
    over_seeds: Mapping[str, Spread] | None


@dataclass(frozen=True)
class FittedScore:
    """Mean Jaccard index of a training's validation part as configured, and with the decision that was fitted on it."""

    name: str
    images: int
    configured: float
    fitted: float


@dataclass(frozen=True)
class CrossvalResults:
    """Everything that a cross-validation found.

    Attributes:
        name: Of the method.
        is_cross_validation: Whether there are folds; else there are seeds alone.
        out_of_fold: Of images by trainings that have not seen them, decided as configured.
        test: Of the test part, decided as fitted on the validation part; None where there is none.
        ensemble: The ensemble's means on the test part; None where there is no test part or no ensemble.
        fitted: How much better the fitted decisions look on the images that they were fitted on.
        definitions: What the numbers mean.
    """

    name: str
    is_cross_validation: bool
    out_of_fold: PartResults
    test: PartResults | None
    ensemble: Mapping[str, Estimate] | None
    fitted: Sequence[FittedScore]
    definitions: Mapping[str, Any]

    @property
    def titles(self) -> dict[str, Definition]:
        """What is known of each metric."""
        return recorded_definitions(self.definitions)


def part_results(scored: Sequence[Scored], *, resamples: int, seed: int) -> PartResults:
    """Averages what trainings score on a part.

    Args:
        scored: At least one.
        resamples: Of the intervals.
        seed: Of the intervals.
    """
    values = _per_image(run for _, run in scored)
    definitions, diagonal = scored[0][1].metrics, mean_diagonal([run for _, run in scored])
    return PartResults(
        trainings=[_training_scores(training, run) for training, run in scored],
        images=values.shape[1],
        overall=estimates(values, definitions, diagonal, resamples=resamples, seed=seed),
        over_folds=_spread([(training.fold, run) for training, run in scored]),
        over_seeds=_spread([(training.seed, run) for training, run in scored]),
    )


def estimates(
    values: Array, definitions: Mapping[str, Definition], diagonal: float, *, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Computes means over images with their intervals.

    Args:
        values: Scores (metrics, images) in the order of the definitions.
        definitions: The metrics.
        diagonal: Mean of the images', in pixels.
        resamples: Of the intervals.
        seed: Of the intervals.
    """
    intervals = mean_intervals(values, ends=scale_ends(definitions, diagonal), resamples=resamples, seed=seed)
    bounds = [interval or (None, None) for interval in intervals]
    return {
        name: Estimate(float(row.mean()), low, high)
        for name, row, (low, high) in zip(definitions, values, bounds, strict=True)
    }


def fitted_scores(trainings: Iterable[Training]) -> list[FittedScore]:
    """Reads what fitting the decision brought to each training that fitted one."""
    found = []
    for training in trainings:
        path = training.folder / "decision.json"
        if path.is_file():
            fitted = json.loads(path.read_text(encoding="utf-8"))
            found += [FittedScore(training.name, fitted["images"], *pair) for pair in _before_and_after(fitted)]
    return found


def _before_and_after(postprocessing: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Takes the mean Jaccard index before the first trial and after the last that was kept; none without trials."""
    trials = postprocessing["trials"]
    kept = [max(tried["jaccard"] for tried in trial["tried"]) for trial in trials if trial["kept"]]
    before = [trial["without"]["jaccard"] for trial in trials[:1]]
    return [(first, kept[-1] if kept else first) for first in before]


def _training_scores(training: Training, run: Run) -> TrainingScores:
    means = dict(zip(run.metrics, map(float, run.scores.mean(axis=1)), strict=True))
    return TrainingScores(training.name, training.fold, training.seed, len(run.targets), means)


def _per_image(runs: Iterable[Run]) -> Array:
    """Averages each image's scores over the runs that have it: (metrics, images), sorted by id."""
    columns: dict[str, list[Array]] = {}
    for run in runs:
        for id_, column in zip(run.targets, run.scores.T, strict=True):
            columns.setdefault(id_, []).append(column)
    return np.stack([np.mean(columns[id_], axis=0) for id_ in sorted(columns)], axis=1)


def _spread(keyed: Sequence[tuple[int | None, Run]]) -> dict[str, Spread] | None:
    """Compares the means of groups of runs, each over the images of all runs in it."""
    groups: dict[int | None, list[Array]] = {}
    for key, run in keyed:
        groups.setdefault(key, []).append(run.scores)
    if len(groups) < 2:
        return None
    means = np.stack([np.concatenate(group, axis=1).mean(axis=1) for group in groups.values()])  # (groups, metrics)
    rows = zip(means.mean(axis=0), means.std(axis=0, ddof=1), means.min(axis=0), means.max(axis=0), strict=True)
    return {name: Spread(*map(float, row)) for name, row in zip(keyed[0][1].metrics, rows, strict=True)}
