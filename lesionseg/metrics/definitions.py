"""Names and meanings of all scores of an evaluation."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any, TypeVar

from omegaconf import OmegaConf

from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.metrics.formula import Definition, Formula

Score = TypeVar("Score", Definition, Formula)
SYNONYMS = ("sensitivity",)
"""Scores that repeat another one under a second name, which tables of all scores leave out."""

BOUNDARY: Mapping[str, Definition] = {
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
"""The scores of `lesionseg.metrics.boundary`, which need the outlines and not only pixel counts."""


@cache
def standard_formulas() -> Mapping[str, Formula]:
    """Builds the formulas of `conf/metrics/default.yaml`, which every evaluation measures, in the order of tables."""
    folder = CONF / "metrics"
    names: list[str] = OmegaConf.load(folder / "default.yaml").defaults
    nodes = OmegaConf.merge(*(OmegaConf.load(folder / f"{name}.yaml") for name in names))
    formulas: Mapping[str, Formula] = build("metrics", nodes)
    return formulas


def measured_formulas(metrics: Mapping[str, Any]) -> dict[str, Formula]:
    """Returns the standard formulas, then those among a configuration's built metrics that are formulas."""
    configured = {name: part for name, part in metrics.items() if isinstance(part, Formula)}
    return {**standard_formulas(), **configured}


def definitions_of(formulas: Mapping[str, Formula]) -> dict[str, Definition]:
    """Defines every score of an image, in the order of tables."""
    return {name: one.definition for name, one in formulas.items() if not one.is_pooled} | dict(BOUNDARY)


def own_names(definitions: Iterable[str]) -> list[str]:
    """Returns the names of scores that are not among those of every evaluation."""
    return [name for name in definitions if name not in standard_formulas() and name not in BOUNDARY]


def shown(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Leaves out scores that repeat another one under a second name."""
    return {name: score for name, score in scores.items() if name not in SYNONYMS}


def scale_ends(definitions: Mapping[str, Definition], diagonal: float) -> list[tuple[float, float]]:
    """Returns the least and the greatest value an image can have of each score.

    The greatest distance is the mean diagonal of the images in pixels, which a missed lesion costs.
    """
    largest = {"": 1.0, "%": 100.0, "px": diagonal}
    return [(one.lowest, largest[one.unit]) for one in definitions.values()]


def definitions_record(formulas: Mapping[str, Formula], *, boundary_tolerance: float) -> dict[str, Any]:
    """Writes down everything that a number's meaning depends on, for files and for comparing runs.

    The tolerance of boundary F1 is in % of the diagonal.
    """
    return {
        "lesion": "8-bit masks above 128; probabilities above the threshold, at the ground truth's own size",
        "threshold_jaccard": getattr(formulas["threshold_jaccard"], "threshold", None),
        "boundary_tolerance": boundary_tolerance,
        "metrics": {name: asdict(definition) for name, definition in definitions_of(formulas).items()},
    }


def recorded_definitions(record: Mapping[str, Any]) -> dict[str, Definition]:
    """Reads the scores that `definitions_record` wrote down, in their order."""
    return {name: Definition(**fields) for name, fields in record["metrics"].items()}
