"""The numbers of a whole evaluation, which `summary.json` holds and every page and table shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from lesionseg.data.descriptor import LookAlike
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.statistics import Interval, mean_intervals, ratio_intervals
from lesionseg.evaluation.strata import order_groups
from lesionseg.metrics.confusion_matrix import ConfusionMatrix
from lesionseg.metrics.definitions import SYNONYMS, definitions_of, definitions_record, scale_ends
from lesionseg.metrics.formula import Counts, Definition, Formula, Fraction, total
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.system.files import contents_sha256

MANY = 0.5  # share of the images from which empty or full masks raise an alarm


@dataclass(frozen=True)
class Estimate:
    """A mean over images, or a score pooled over their pixels, with its 95 % interval, which one image has not."""

    value: float
    low: float | None
    high: float | None
    deviation: float | None = None  # standard deviation over images; None for pooled scores and for one image
    median: float | None = None  # over images; None for pooled scores

    @property
    def interval(self) -> Interval | None:
        """Both ends of the interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Group:
    """The images of one group of a stratum."""

    label: str
    images: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Stratum:
    """A division of the images, for example by lesion size, into groups in their natural order."""

    name: str
    groups: Sequence[Group]


@dataclass(frozen=True)
class CalibrationBin:
    """Pixels, at least one, of probabilities from `low` to `high`."""

    low: float
    high: float
    confidence: float  # mean probability
    frequency: float  # share of the pixels that are lesion
    pixels: int


@dataclass(frozen=True)
class Curves:
    """Curves and calibration of the probabilities of all pixels, whatever the threshold.

    Areas are None where the truth is all lesion or all skin. They have errors because probabilities are counted in
    levels.
    """

    false_positive_rate: Sequence[float]  # of the ROC curve, rising
    true_positive_rate: Sequence[float]
    roc_area: float | None
    recall: Sequence[float]  # rising
    precision: Sequence[float]
    average_precision: float | None
    thresholds: Sequence[float]  # from 0 to 1
    dice: Sequence[float]  # mean over images at each threshold
    jaccard: Sequence[float]  # mean over images at each threshold
    calibration: Sequence[CalibrationBin]
    calibration_error: float  # 0 to 1, expected calibration error (Guo et al. 2017, arXiv 1706.04599, equation 3)
    brier: float  # 0 to 1, mean squared difference between probability and truth
    roc_area_error: float | None = None  # the largest possible
    average_precision_error: float | None = None  # the largest possible


@dataclass(frozen=True)
class Summary:
    """Everything about an evaluation except its single images."""

    name: str  # of the method in tables
    facts: Mapping[str, str]  # checkpoint, data, part, split hash, threshold, decision, date, versions
    images: int
    missed: int  # images with a lesion of which nothing was found
    metrics: Mapping[str, Estimate]  # means over images, in the order of tables
    pooled: Mapping[str, Estimate]  # scores over the pixels of all images
    confusion_matrix: tuple[tuple[int, int], tuple[int, int]]  # pixels; rows truth, columns prediction, skin first
    strata: Sequence[Stratum]
    curves: Curves | None  # None where only masks were scored
    test_set_sha256: str  # of every id with the size and pixels of its ground truth
    definitions: Mapping[str, Any]  # see `lesionseg.metrics.definitions.definitions_record`
    config: Mapping[str, Any] | None = None  # the checkpoint's training configuration; None for masks
    other_metrics: Mapping[str, float] | None = None  # from further metrics of the configuration
    alarms: Sequence[str] = ()  # sentences that say why the masks are worthless; usually none
    known_images: Sequence[LookAlike] = ()  # images like those of the model's training, whose scores say little


def summarise(
    images: Sequence[ImageScores],
    curves: Curves | None,
    *,
    name: str,
    facts: Mapping[str, str],
    settings: EvaluationSettings,
    formulas: Mapping[str, Formula],
    config: Mapping[str, Any] | None = None,
    other_metrics: Mapping[str, float] | None = None,
    known_images: Sequence[LookAlike] = (),
) -> Summary:
    """Averages over at least one image and pools over pixels, for all images and for the groups of each stratum.

    See `Summary` for the facts that are passed on to it.
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
        strata=[_stratum(stratum, images, definitions, settings) for stratum in stratum_names(images)],
        curves=curves,
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
    lesion = [image for image in images if image.true_positives + image.false_negatives]
    skin = [image for image in images if image.true_negatives + image.false_positives]
    empty = sum(image.true_positives + image.false_positives == 0 for image in lesion)
    full = sum(image.true_negatives + image.false_negatives == 0 for image in skin)
    reached = fmean(Jaccard().score(image) for image in images)
    # The Jaccard index of a mask of the whole image is the lesion's share of the image.
    everything = fmean((image.true_positives + image.false_negatives) / sum(image) for image in images)
    is_blank, is_full = empty >= max(1, MANY * len(lesion)), full >= max(1, MANY * len(skin))
    found = {
        f"No ground truth ({len(images)} in all) shows a lesion, so the scores say nothing of lesions.": not lesion,
        f"Nothing is marked in {empty} of {len(lesion)} images that show a lesion.": is_blank,
        f"The whole image is marked in {full} of {len(skin)} images that show skin.": is_full,
        f"The mean Jaccard index is {reached:.4f}; marking the whole of each image would reach {everything:.4f}.": (
            reached <= everything < 1
        ),
    }
    return [sentence for sentence, is_so in found.items() if is_so]


def stratum_names(images: Sequence[ImageScores]) -> list[str]:
    """Lists the strata of any image in the order of their first appearance."""
    return list(dict.fromkeys(name for image in images for name in image.strata))


def _means(
    images: Sequence[ImageScores], definitions: Mapping[str, Definition], settings: EvaluationSettings
) -> dict[str, Estimate]:
    values = np.array([[image.scores[name] for image in images] for name in definitions])  # (metrics, images)
    ends = scale_ends(definitions, float(np.mean([np.hypot(image.height, image.width) for image in images])))
    intervals = mean_intervals(values, ends=ends, resamples=settings.resamples, seed=settings.seed)
    deviations = values.std(axis=1, ddof=1).tolist() if len(images) > 1 else [None] * len(values)
    rows = zip(values.mean(axis=1), intervals, deviations, np.median(values, axis=1), strict=True)
    estimates = (Estimate(float(mean), *_ends(interval), sd, float(median)) for mean, interval, sd, median in rows)
    return dict(zip(definitions, estimates, strict=True))


def _pooled(
    counts: Sequence[Counts], formulas: Mapping[str, Formula], settings: EvaluationSettings
) -> dict[str, Estimate]:
    """Pools every fraction over the pixels of all images."""
    own = ((name, one) for name, one in formulas.items() if name not in SYNONYMS)
    fractions = {name: one for name, one in own if isinstance(one, Fraction) and not one.is_pooled}
    columns = Counts(*np.array(counts, float).T)  # (images,) each
    numerators, denominators = np.array([one.fraction(columns) for one in fractions.values()]).swapaxes(0, 1)
    intervals = ratio_intervals(numerators, denominators, resamples=settings.resamples, seed=settings.seed)
    pooled = total(counts)
    return {
        name: Estimate(float(one.score(pooled)), *_ends(interval))
        for (name, one), interval in zip(fractions.items(), intervals, strict=True)
    }


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


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return interval or (None, None)
