"""The numbers of a whole evaluation, which `summary.json` holds and every page and table shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lesionseg.data.descriptor import LookAlike


@dataclass(frozen=True)
class Estimate:
    """A mean over images, or a score pooled over their pixels, with its 95 % interval.

    Attributes:
        value: Mean or pooled score.
        low: Lower end of the interval; None for one image.
        high: Upper end of the interval; None for one image.
        deviation: Standard deviation over images; None for pooled scores and for one image.
        median: Median over images; None for pooled scores.
    """

    value: float
    low: float | None
    high: float | None
    deviation: float | None = None
    median: float | None = None


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
    """Pixels of similar probability.

    Attributes:
        low: Lower end of the probabilities.
        high: Upper end of the probabilities.
        confidence: Mean probability.
        frequency: Share of the pixels that are lesion.
        pixels: Number of pixels, above 0.
    """

    low: float
    high: float
    confidence: float
    frequency: float
    pixels: int


@dataclass(frozen=True)
class Curves:
    """Curves and calibration of the probabilities of all pixels, whatever the threshold.

    Attributes:
        false_positive_rate: Rising rates of the ROC curve.
        true_positive_rate: Rising rates of the ROC curve.
        roc_area: Area below the ROC curve; None where truth is all lesion or all skin.
        recall: Rising recall of the precision-recall curve.
        precision: Precision at each recall.
        average_precision: Area below the precision-recall curve.
        thresholds: Thresholds from 0 to 1.
        dice: Mean over images at each threshold.
        jaccard: Mean over images at each threshold.
        calibration: Bins of the reliability diagram that have pixels.
        calibration_error: Expected calibration error, 0 to 1 (Guo et al. 2017, arXiv 1706.04599, equation 3).
        brier: Mean squared difference between probability and truth, 0 to 1.
        roc_area_error: Largest error of the area, because probabilities are counted in steps; None without an area.
        average_precision_error: Largest error of the average precision.
    """

    false_positive_rate: Sequence[float]
    true_positive_rate: Sequence[float]
    roc_area: float | None
    recall: Sequence[float]
    precision: Sequence[float]
    average_precision: float | None
    thresholds: Sequence[float]
    dice: Sequence[float]
    jaccard: Sequence[float]
    calibration: Sequence[CalibrationBin]
    calibration_error: float
    brier: float
    roc_area_error: float | None = None
    average_precision_error: float | None = None


@dataclass(frozen=True)
class Summary:
    """Everything about an evaluation except its single images.

    Attributes:
        name: Name of the method in tables.
        facts: Facts in words and in order: checkpoint, data, part, split hash, threshold, decision, date, versions.
        images: Number of images.
        missed: Number of images with a lesion of which nothing was found.
        metrics: Means over images by name, in the order of tables.
        pooled: Scores over the pixels of all images by name.
        confusion_matrix: Pixels, rows truth, columns prediction, skin before lesion.
        strata: Means by groups of images.
        curves: None where only masks were scored.
        test_set_sha256: SHA-256 of every id with the size and pixels of its ground truth.
        definitions: Meaning of the numbers, see `lesionseg.metrics.definitions.definitions_record`.
        config: The checkpoint's training configuration; None for masks.
        other_metrics: Scores from further metrics of the configuration.
        known_images: Images that look like one of the model's training or validation images, whose scores say little.
        alarms: Sentences that say why the masks are worthless; usually none.
    """

    name: str
    facts: Mapping[str, str]
    images: int
    missed: int
    metrics: Mapping[str, Estimate]
    pooled: Mapping[str, Estimate]
    confusion_matrix: tuple[tuple[int, int], tuple[int, int]]
    strata: Sequence[Stratum]
    curves: Curves | None
    test_set_sha256: str
    definitions: Mapping[str, Any]
    config: Mapping[str, Any] | None = None
    other_metrics: Mapping[str, float] | None = None
    alarms: Sequence[str] = ()
    known_images: Sequence[LookAlike] = ()
