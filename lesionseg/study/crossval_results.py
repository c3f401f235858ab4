"""Evaluation of a cross-validation's trainings, and their scores over folds, seeds and all images."""

import contextlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import numpy as np
from omegaconf import DictConfig, OmegaConf

from lesionseg.checkpoint.engine import CheckpointEngine
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.config.command_line import quoted
from lesionseg.data.masks import encode_grey_png
from lesionseg.data.split import own_samples
from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import recorded_definitions
from lesionseg.metrics.formula import Definition
from lesionseg.study.crossval_plan import Training
from lesionseg.study.scored_run import SUMMARY, Array, Run, estimates, read_run
from lesionseg.system.files import whole_file
from lesionseg.training.testing import score_checkpoint

OUT_OF_FOLD = "out_of_fold"
"""Folder in a training's folder with the evaluation of its validation subset."""
ENSEMBLE = "ensemble"
"""Folder in the cross-validation's folder with the test of the ensemble."""
SAME = ("evaluation", "metrics", "batch_size", "num_workers")
"""Keys whose values scoring takes from the trainings."""
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


def score_out_of_fold(training: Training, composed: DictConfig) -> Run:
    """Scores a finished training on its validation subset, unless its checkpoint has been scored.

    Postprocessing is as configured, because fitted postprocessing was chosen on these very images.

    Args:
        training: Finished training.
        composed: Configuration of a training, whose settings of device and evaluation are used.

    Raises:
        InputError: The checkpoint or the data are gone.
    """
    return _scored(training.checkpoint, training.folder / OUT_OF_FOLD, composed, "validation", postprocessing="plain")


def score_test(checkpoint: Path, folder: Path, composed: DictConfig) -> Run:
    """Scores a checkpoint on its test subset with the postprocessing that it holds, unless it has been scored."""
    return _scored(checkpoint, folder, composed, "test", postprocessing="stored")


def tested(training: Training) -> Run | None:
    """Reads a training's own test; None without a test subset."""
    return read_run(training.folder) if (training.folder / SUMMARY).is_file() else None


def write_masks(training: Training, folder: Path, composed: DictConfig) -> None:
    """Writes the masks of a training's validation subset as `<folder>/<id>.png`, with postprocessing as configured.

    Each mask has its ground truth's size; 255 is lesion, 0 is skin.
    """
    checkpoint = read(training.checkpoint)
    device = "cpu" if composed.trainer.accelerator == "cpu" else "auto"
    engine = CheckpointEngine(training.checkpoint, device=device, precision="auto")
    engine.segmenter.postprocessing = postprocessing = segmenter_of(checkpoint, plain=True).postprocessing
    for sample in own_samples(source_of(checkpoint), "validation", checkpoint["lesionseg"]["split"]):
        image = sample.read_resized(engine.facts.image_size).image
        probability = engine.probability(np.ascontiguousarray(image[None]))[0]
        height, width = sample.mask().shape
        with whole_file(folder / f"{sample.id}.png") as file:
            file.write(encode_grey_png(postprocessing.mask(probability, (height, width)).pixels()))


def is_newer(path: Path, *others: Path) -> bool:
    """Tells whether a file exists and was written after all the others."""
    return path.is_file() and all(path.stat().st_mtime_ns >= other.stat().st_mtime_ns for other in others)


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


def _scored(checkpoint: Path, folder: Path, composed: DictConfig, subset: str, *, postprocessing: str) -> Run:
    """Evaluates a checkpoint without printing, because many tables would hide the one that counts."""
    if not is_newer(folder / SUMMARY, checkpoint):
        words = [f"checkpoint={quoted(str(checkpoint))}", f"run_dir={quoted(str(folder))}", f"part={subset}"]
        cfg = hydra.compose("evaluate", overrides=[*words, f"postprocessing={postprocessing}"])
        settings: Any = OmegaConf.to_container(composed, resolve=True)
        for name in SAME:
            cfg[name] = settings[name]
        cfg.trainer.accelerator, cfg.trainer.precision = composed.trainer.accelerator, composed.trainer.precision
        with contextlib.redirect_stdout(io.StringIO()):
            score_checkpoint(cfg)
    return read_run(folder)


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
