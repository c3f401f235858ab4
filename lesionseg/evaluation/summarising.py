"""The numbers of a whole evaluation, computed from its images."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from lesionseg.data.descriptor import LookAlike
from lesionseg.evaluation.probabilities import ProbabilityCounts
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.statistics import mean_intervals, ratio_intervals
from lesionseg.evaluation.strata import order_groups
from lesionseg.evaluation.summary import Estimate, Group, Stratum, Summary
from lesionseg.metrics.confusion_matrix import ConfusionMatrix
from lesionseg.metrics.definitions import SYNONYMS, definitions_of, definitions_record, scale_ends
from lesionseg.metrics.formula import Counts, Definition, Formula, Fraction, total
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.system.files import contents_sha256

MANY = 0.5
"""Share of the images from which empty or full masks raise an alarm."""


def summarise(
    images: Sequence[ImageScores],
    probabilities: ProbabilityCounts | None,
    *,
    name: str,
    facts: Mapping[str, str],
    settings: EvaluationSettings,
    formulas: Mapping[str, Formula],
    config: Mapping[str, Any] | None = None,
    other_metrics: Mapping[str, float] | None = None,
    known_images: Sequence[LookAlike] = (),
) -> Summary:
    """Averages over images and pools over pixels, with intervals, for all images and for the groups of each stratum.

    Args:
        images: At least one image.
        probabilities: Counts of the pixels of all images; None where only masks were scored.
        name: Name of the method.
        facts: See `Summary`.
        settings: Resamples and seed of the intervals.
        formulas: Formulas of the scores.
        config: See `Summary`.
        other_metrics: See `Summary`.
        known_images: See `Summary`.
    """
    definitions = definitions_of(formulas)
    counts = [image.counts for image in images]
    return Summary(
        name=name,
        facts=facts,
        images=len(images),
        missed=sum(image.missed for image in images),
        metrics=_means(images, definitions, settings),
        pooled=_pooled(counts, formulas, settings),
        confusion_matrix=ConfusionMatrix().score(total(counts)),
        strata=_strata(images, definitions, settings),
        curves=None if probabilities is None else probabilities.curves(),
        test_set_sha256=contents_sha256(sorted([image.id, image.target_sha256] for image in images)),
        definitions=definitions_record(formulas, boundary_tolerance=settings.boundary_tolerance),
        config=config,
        other_metrics=other_metrics,
        alarms=alarms(counts),
        known_images=known_images,
    )


def alarms(images: Sequence[Counts]) -> list[str]:
    """Returns sentences that say why masks are worthless; none for masks of some use.

    Empty masks count against the images with a lesion, full masks against those with skin. An empty mask of an image
    without a lesion is right, but a set without any lesion scores 1 whatever was read as its ground truths.
    """
    return [*_no_lesion(images), *_empty(images), *_full(images), *_no_better_than_everything(images)]


def _means(
    images: Sequence[ImageScores], definitions: Mapping[str, Definition], settings: EvaluationSettings
) -> dict[str, Estimate]:
    values = np.array([[image.scores[name] for image in images] for name in definitions])  # (metrics, images)
    ends = scale_ends(definitions, float(np.mean([np.hypot(image.height, image.width) for image in images])))
    intervals = mean_intervals(values, ends=ends, resamples=settings.resamples, seed=settings.seed)
    estimates = {}
    for name, row, interval in zip(definitions, values, intervals, strict=True):
        low, high = interval or (None, None)
        deviation = float(row.std(ddof=1)) if len(row) > 1 else None
        estimates[name] = Estimate(float(row.mean()), low, high, deviation, float(np.median(row)))
    return estimates


def _pooled(
    counts: Sequence[Counts], formulas: Mapping[str, Formula], settings: EvaluationSettings
) -> dict[str, Estimate]:
    """Pools every fraction over the pixels of all images."""
    own = ((name, one) for name, one in formulas.items() if name not in SYNONYMS)
    fractions = {name: one for name, one in own if isinstance(one, Fraction) and not one.is_pooled}
    columns = Counts(*np.array(counts, float).T)  # (images,) each
    numerators, denominators = zip(*(one.fraction(columns) for one in fractions.values()), strict=True)
    intervals = ratio_intervals(
        np.array(numerators), np.array(denominators), resamples=settings.resamples, seed=settings.seed
    )
    pooled = total(counts)
    bounds = [interval or (None, None) for interval in intervals]
    return {
        name: Estimate(float(one.score(pooled)), low, high)
        for (name, one), (low, high) in zip(fractions.items(), bounds, strict=True)
    }


def _strata(
    images: Sequence[ImageScores], definitions: Mapping[str, Definition], settings: EvaluationSettings
) -> list[Stratum]:
    names = dict.fromkeys(name for image in images for name in image.strata)
    return [_stratum(name, images, definitions, settings) for name in names]


def _stratum(
    name: str, images: Sequence[ImageScores], definitions: Mapping[str, Definition], settings: EvaluationSettings
) -> Stratum:
    """Summarises each group; images without the trait are in no group."""
    members: dict[str, list[ImageScores]] = {}
    for image in images:
        if name in image.strata:
            members.setdefault(image.strata[name], []).append(image)
    labels = order_groups(name, list(members))
    groups = [Group(label, len(members[label]), _means(members[label], definitions, settings)) for label in labels]
    return Stratum(name, groups)


def _no_lesion(images: Sequence[Counts]) -> Iterator[str]:
    if not any(image.true_positives + image.false_negatives for image in images):
        yield f"No ground truth ({len(images)} in all) shows a lesion, so the scores say nothing of lesions."


def _empty(images: Sequence[Counts]) -> Iterator[str]:
    with_lesion = [image for image in images if image.true_positives + image.false_negatives]
    empty = sum(image.true_positives + image.false_positives == 0 for image in with_lesion)
    if empty and empty >= MANY * len(with_lesion):
        yield f"Nothing is marked in {empty} of {len(with_lesion)} images that show a lesion."


def _full(images: Sequence[Counts]) -> Iterator[str]:
    with_skin = [image for image in images if image.true_negatives + image.false_positives]
    full = sum(image.true_negatives + image.false_negatives == 0 for image in with_skin)
    if full and full >= MANY * len(with_skin):
        yield f"The whole image is marked in {full} of {len(with_skin)} images that show skin."


def _no_better_than_everything(images: Sequence[Counts]) -> Iterator[str]:
    """Compares with masks of the whole image, whose Jaccard index is the lesion's share of the image."""
    reached = fmean(Jaccard().score(image) for image in images)
    trivial = fmean((image.true_positives + image.false_negatives) / sum(image) for image in images)
    if reached <= trivial < 1:
        yield f"The mean Jaccard index is {reached:.4f}; marking the whole of each image would reach {trivial:.4f}."
