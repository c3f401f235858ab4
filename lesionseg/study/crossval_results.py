"""Scores of a cross-validation: of each training, over folds, over seeds and over all images."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import recorded_definitions
from lesionseg.metrics.formula import Definition
from lesionseg.study.crossval_plan import Training
from lesionseg.study.scored_run import Array, Run, estimates

Scored = tuple[Training, Run]
"""A training and its evaluation."""


@dataclass(frozen=True)
class TrainingScores:
    """Mean of each metric over the images that a training was scored on."""

    name: str
    fold: int | None
    seed: int | None
    images: int
    means: Mapping[str, float]


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation and range of several means."""

    mean: float
    deviation: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class SubsetResults:
    """Scores of all trainings on one subset of the data.

    Attributes:
        trainings: Scores of each training in the order of the plan.
        images: Number of different images.
        overall: By metric, mean over all images with its 95 % interval; scores are averaged over trainings first.
        over_folds: Spread of the folds' means over images and seeds; None for fewer than two folds.
        over_seeds: Spread of the seeds' means over the images of all folds; None for fewer than two seeds.
    """

    trainings: Sequence[TrainingScores]
    images: int
    overall: Mapping[str, Estimate]
    over_folds: Mapping[str, Spread] | None
    over_seeds: Mapping[str, Spread] | None


@dataclass(frozen=True)
class FittedScore:
    """Mean Jaccard index on a training's validation subset, as configured and with postprocessing fitted on it."""

    name: str
    images: int
    configured: float
    fitted: float


@dataclass(frozen=True)
class CrossvalResults:
    """Results of a cross-validation.

    Attributes:
        name: Name of the method.
        is_cross_validation: Whether there are folds; otherwise, there are only seeds.
        out_of_fold: Scores on images that the trainings have not seen, with postprocessing as configured.
        test: Scores on the test subset with fitted postprocessing; None without a test subset.
        ensemble: Means of the ensemble on the test subset; None without either.
        fitted: Scores of fitted postprocessing on the images that it was fitted on.
        definitions: Definitions of the metrics as an evaluation records them.
    """

    name: str
    is_cross_validation: bool
    out_of_fold: SubsetResults
    test: SubsetResults | None
    ensemble: Mapping[str, Estimate] | None
    fitted: Sequence[FittedScore]
    definitions: Mapping[str, Any]

    @property
    def titles(self) -> dict[str, Definition]:
        """Definition by metric."""
        return recorded_definitions(self.definitions)


def subset_results(scored: Sequence[Scored], *, resamples: int, seed: int) -> SubsetResults:
    """Averages the scores of one training or more on a subset."""
    runs = [run for _, run in scored]
    scores = _per_image(runs)
    return SubsetResults(
        trainings=[_training_scores(training, run) for training, run in scored],
        images=scores.shape[1],
        overall=estimates(scores, runs, resamples=resamples, seed=seed),
        over_folds=_spread([(training.fold, run) for training, run in scored]),
        over_seeds=_spread([(training.seed, run) for training, run in scored]),
    )


def fitted_scores(trainings: Iterable[Training]) -> list[FittedScore]:
    """Reads the scores of each training that fitted its postprocessing, before the first trial and after the last."""
    found = []
    for training in trainings:
        path = training.folder / "decision.json"
        fitted = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if trials := fitted.get("trials"):
            before = trials[0]["without"]["jaccard"]
            kept = [max(tried["jaccard"] for tried in trial["tried"]) for trial in trials if trial["kept"]]
            found.append(FittedScore(training.name, fitted["images"], before, kept[-1] if kept else before))
    return found


def _training_scores(training: Training, run: Run) -> TrainingScores:
    means = dict(zip(run.metrics, run.scores.mean(axis=1).tolist(), strict=True))
    return TrainingScores(training.name, training.fold, training.seed, len(run.targets), means)


def _per_image(runs: Iterable[Run]) -> Array:
    """Averages each image's scores over its runs: (metrics, images), sorted by id."""
    columns: dict[str, list[Array]] = {}
    for run in runs:
        for id_, column in zip(run.targets, run.scores.T, strict=True):
            columns.setdefault(id_, []).append(column)
    return np.stack([np.mean(columns[id_], axis=0) for id_ in sorted(columns)], axis=1)


def _spread(keyed: Sequence[tuple[int | None, Run]]) -> dict[str, Spread] | None:
    """Returns the spread of the means of runs that share a key; None for fewer than two keys."""
    groups: dict[int | None, list[Array]] = {}
    for key, run in keyed:
        groups.setdefault(key, []).append(run.scores)
    if len(groups) < 2:
        return None
    means = np.stack([np.concatenate(group, axis=1).mean(axis=1) for group in groups.values()])  # (groups, metrics)
    rows = np.stack([means.mean(axis=0), means.std(axis=0, ddof=1), means.min(axis=0), means.max(axis=0)], axis=1)
    return {name: Spread(*row) for name, row in zip(keyed[0][1].metrics, rows.tolist(), strict=True)}
