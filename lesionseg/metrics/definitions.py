"""What each score of an evaluation is called, and what it means; the one place for both."""

from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps
from typing import Any

THRESHOLD_JACCARD = 0.65
"""Below it the ISIC 2018 challenge counts an image 0: a human would call the outline wrong."""


@dataclass(frozen=True)
class Definition:
    """One score of an image; over images it is averaged.

    Attributes:
        title: For tables and axes.
        unit: `` (a share, 0 to 1), `px` or `%` (of the image's diagonal).
        higher_is_better: Whether a larger value is the better one.
        meaning: The formula and what happens at 0 / 0, in a sentence.
    """

    title: str
    unit: str
    higher_is_better: bool
    meaning: str


METRICS: dict[str, Definition] = {
    "dice": Definition("Dice (F1)", "", True, "2 TP / (2 TP + FP + FN); 1 where truth and prediction are both empty."),
    "jaccard": Definition("Jaccard (IoU)", "", True, "TP / (TP + FP + FN); 1 where both are empty."),
    "threshold_jaccard": Definition("threshold Jaccard", "", True, "Jaccard where it is at least 0.65, else 0."),
    "failure": Definition("failure rate", "", False, "1 where Jaccard is below 0.65, else 0."),
    "precision": Definition("precision", "", True, "TP / (TP + FP); prediction empty: 1 if the truth is too, else 0."),
    "recall": Definition("recall", "", True, "TP / (TP + FN), also called sensitivity; 1 where the truth is empty."),
    "sensitivity": Definition("sensitivity", "", True, "TP / (TP + FN), another name of recall."),
    "specificity": Definition("specificity", "", True, "TN / (TN + FP); 1 where all of the image is lesion."),
    "accuracy": Definition("accuracy", "", True, "(TP + TN) / all pixels."),
    "hd95_px": Definition(
        "HD95", "px", False, "95th percentile of the distances between the outlines, the larger direction; see hd95."
    ),
    "hd95": Definition(
        "HD95", "%", False, "The same in % of the image's diagonal; one mask empty: 100, both empty: 0."
    ),
    "surface_distance_px": Definition(
        "average surface distance", "px", False, "Mean distance between the outlines, over the points of both."
    ),
    "surface_distance": Definition(
        "average surface distance", "%", False, "The same in % of the image's diagonal; one mask empty: 100, both: 0."
    ),
    "boundary_f1": Definition(
        "boundary F1", "", True, "F1 of outline points within the tolerance of the other outline; one empty: 0."
    ),
}
"""By name, in the order of every table."""

POOLED = ("dice", "jaccard", "precision", "recall", "specificity", "accuracy")
"""Scores that are also computed once from the pixels of all images together."""


def scale_ends(diagonal: float) -> list[tuple[float, float]]:
    """Returns the least and the greatest that an image can score, for each of METRICS and in its order.

    Args:
        diagonal: Mean of the images', in pixels: so far off counts a lesion that is missed.
    """
    largest = {"": 1.0, "%": 100.0, "px": diagonal}
    return [(0.0, largest[definition.unit]) for definition in METRICS.values()]


def definitions(boundary_tolerance: float) -> dict[str, Any]:
    """Writes down everything that a number's meaning depends on, for files and for comparing runs.

    Args:
        boundary_tolerance: Of boundary F1, in % of the diagonal.
    """
    return {
        "lesion": "8-bit masks above 128; probabilities above the threshold, at the ground truth's own size",
        "threshold_jaccard": THRESHOLD_JACCARD,
        "boundary_tolerance": boundary_tolerance,
        "metrics": {name: asdict(definition) for name, definition in METRICS.items()},
    }


def fingerprint(contents: Any) -> str:
    """Returns the SHA-256 of plain values, the same wherever and in whatever order they were collected."""
    return sha256(dumps(contents, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
