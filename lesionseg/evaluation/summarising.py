"""From single images to the numbers of a whole evaluation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.descriptor import LookAlike
from lesionseg.data.spelling import examples
from lesionseg.evaluation.alarms import alarms
from lesionseg.evaluation.definitions import METRICS, POOLED, definitions, fingerprint, scale_ends
from lesionseg.evaluation.image_scores import Counts, ImageScores
from lesionseg.evaluation.metadata import read_strata
from lesionseg.evaluation.overlap import overlap_scores
from lesionseg.evaluation.probabilities import ProbabilityCounts
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.statistics import mean_intervals, ratio_intervals
from lesionseg.evaluation.strata import UNKNOWN, order_groups
from lesionseg.evaluation.summary import Estimate, Group, Stratum, Summary

log = logging.getLogger(__name__)


def summarise(
    images: Sequence[ImageScores],
    probabilities: ProbabilityCounts | None,
    *,
    name: str,
    facts: Mapping[str, str],
    settings: EvaluationSettings,
    config: Mapping[str, Any] | None = None,
    other_metrics: Mapping[str, float] | None = None,
    known_images: Sequence[LookAlike] = (),
) -> Summary:
    """Averages over images and over their pixels, with intervals, for all images and for each stratum's groups.

    Args:
        images: At least one.
        probabilities: Probabilities of all images' pixels; None where only masks were scored.
        name: What people call the method.
        facts: See `Summary`.
        settings: Resamples and seed of the intervals.
        config: See `Summary`.
        other_metrics: See `Summary`.
        known_images: See `Summary`.
    """
    total = Counts(*(int(sum(column)) for column in zip(*(image.counts for image in images), strict=True)))
    return Summary(
        name=name,
        facts=facts,
        images=len(images),
        missed=sum(image.missed for image in images),
        metrics=_means(images, settings),
        pooled=_pooled(images, total, settings),
        confusion_matrix=((total.true_negatives, total.false_positives), (total.false_negatives, total.true_positives)),
        strata=_strata(images, settings),
        curves=None if probabilities is None else probabilities.curves(),
        test_set_sha256=fingerprint(sorted([image.id, image.target_sha256] for image in images)),
        definitions=definitions(settings.boundary_tolerance),
        config=config,
        other_metrics=other_metrics,
        alarms=alarms([image.counts for image in images]),
        known_images=known_images,
    )


def check_metadata(settings: EvaluationSettings, ids: Sequence[str]) -> None:
    """Reads the table that the settings name before the work, and warns of images that it does not have.

    Raises:
        InputError: The table does not fit, see `read_strata`.
    """
    found = _strata_of(settings, ids)
    missing = [id_ for id_ in ids if id_ not in found]
    if settings.metadata is not None and missing:
        log.warning(
            "%s has no row for %d of %d images (%s): their groups are unknown.",
            settings.metadata,
            len(missing),
            len(ids),
            examples(missing),
        )


def metadata_of(settings: EvaluationSettings, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Reads the table that the settings name: each image's groups by column; nothing where they name none.

    Raises:
        InputError: The table does not fit, see `read_strata`.
    """
    found = _strata_of(settings, ids)
    columns = dict.fromkeys(column for groups in found.values() for column in groups)
    return {id_: dict.fromkeys(columns, UNKNOWN) | found.get(id_, {}) for id_ in ids} if columns else {}


def _strata_of(settings: EvaluationSettings, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    if settings.metadata is None:
        return {}
    path = Path(settings.metadata)
    return read_strata(path, id_column=settings.metadata_id, columns=settings.metadata_columns, ids=ids)


def with_metadata(images: Sequence[ImageScores], metadata: Mapping[str, Mapping[str, str]]) -> list[ImageScores]:
    """Adds the groups that a table names for each image to its strata."""
    return [replace(image, strata=image.strata | dict(metadata.get(image.id, {}))) for image in images]


def _means(images: Sequence[ImageScores], settings: EvaluationSettings) -> dict[str, Estimate]:
    values = np.array([[image.scores[name] for image in images] for name in METRICS])  # (metrics, images)
    ends = scale_ends(float(np.mean([np.hypot(image.height, image.width) for image in images])))
    intervals = mean_intervals(values, ends=ends, resamples=settings.resamples, seed=settings.seed)
    estimates = {}
    for name, row, interval in zip(METRICS, values, intervals, strict=True):
        low, high = interval or (None, None)
        deviation = float(row.std(ddof=1)) if len(row) > 1 else None
        estimates[name] = Estimate(float(row.mean()), low, high, deviation, float(np.median(row)))
    return estimates


def _pooled(images: Sequence[ImageScores], total: Counts, settings: EvaluationSettings) -> dict[str, Estimate]:
    counts = np.array([image.counts for image in images], float).T
    numerators, denominators = zip(*(_fraction(name, counts) for name in POOLED), strict=True)
    intervals = ratio_intervals(
        np.array(numerators), np.array(denominators), resamples=settings.resamples, seed=settings.seed
    )
    values = overlap_scores(total)
    bounds = [interval or (None, None) for interval in intervals]
    return {name: Estimate(values[name], low, high) for name, (low, high) in zip(POOLED, bounds, strict=True)}


def _fraction(name: str, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Splits a score into what is above and below its line, for each image: (N,) each."""
    tp, fp, fn, tn = counts
    fractions = {
        "dice": (2 * tp, 2 * tp + fp + fn),
        "jaccard": (tp, tp + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "accuracy": (tp + tn, tp + fp + fn + tn),
    }
    return fractions[name]


def _strata(images: Sequence[ImageScores], settings: EvaluationSettings) -> list[Stratum]:
    names = dict.fromkeys(name for image in images for name in image.strata)
    return [_stratum(name, images, settings) for name in names]


def _stratum(name: str, images: Sequence[ImageScores], settings: EvaluationSettings) -> Stratum:
    """Summarises each group; images without the trait belong to none."""
    members: dict[str, list[ImageScores]] = {}
    for image in images:
        if name in image.strata:
            members.setdefault(image.strata[name], []).append(image)
    labels = order_groups(name, list(members))
    groups = [Group(label, len(members[label]), _means(members[label], settings)) for label in labels]
    return Stratum(name, groups)
