"""The numbers of a whole evaluation: what `summary.json` holds and every page and table is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lesionseg.data.descriptor import LookAlike


@dataclass(frozen=True)
class Estimate:
    """A mean over images, or a score pooled over their pixels, with its 95 % interval.

    Attributes:
        value: The estimate.
        low: Lower end of the interval; None where one image allows none.
        high: Upper end likewise.
        deviation: Standard deviation over images; None for pooled scores and for one image.
        median: Over images; None for pooled scores.
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
    """A way to divide the images, for example by lesion size; groups in their natural order."""

    name: str
    groups: Sequence[Group]


@dataclass(frozen=True)
class CalibrationBin:
    """Pixels of similar probability.

    Attributes:
        low: The probabilities' range.
        high: Its end.
        confidence: Mean probability.
        frequency: Share of these pixels that are lesion.
        pixels: How many there are, above 0.
    """

    low: float
    high: float
    confidence: float
    frequency: float
    pixels: int


@dataclass(frozen=True)
class Curves:
    """What the probabilities of all pixels say, whatever the threshold.

    Attributes:
        false_positive_rate: Of the ROC curve, rising.
        true_positive_rate: Likewise.
        roc_area: Area below it; None where truth is all lesion or all skin.
        recall: Of the precision-recall curve.
        precision: Likewise.
        average_precision: Area below it.
        thresholds: From 0 to 1.
        dice: Mean over images at each threshold.
        jaccard: Likewise.
        calibration: Reliability diagram, bins without pixels left out.
        calibration_error: Expected calibration error, 0 to 1 (Guo et al. 2017, arXiv 1706.04599, equation 3).
        brier: Mean squared difference between probability and truth, 0 to 1.
        roc_area_error: How far the area may be from that of the single pixels, whose probabilities are counted in
            steps; None where there is no area.
        average_precision_error: Likewise.
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
    """Everything about an evaluation but its single images.

    Attributes:
        name: What people call the method, for tables.
        facts: What was evaluated and how, in words: checkpoint, data, part, split hash, threshold, decision, date,
            versions; in the order shown.
        images: Number of images.
        missed: Images with a lesion of which nothing was found.
        metrics: Means over images by name, in the order of tables.
        pooled: Scores over the pixels of all images by name.
        confusion_matrix: Pixels, rows truth, columns prediction, skin before lesion.
        strata: Means by groups of images.
        curves: None where only masks were scored.
        test_set_sha256: Of every id with its ground truth's size and pixels.
        definitions: What the numbers mean, see `lesionseg.metrics.definitions.definitions_record`.
        config: The checkpoint's training configuration; None for masks.
        other_metrics: Scores from further metrics of the configuration.
        known_images: Images that look like one of the model's training or validation images, whose scores say little.
        alarms: Sentences that say why the masks are worthless, see `lesionseg.evaluation.alarms`; usually none.
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
