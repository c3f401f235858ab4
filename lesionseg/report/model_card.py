"""Model cards: purpose of a model, its results by groups, and what was not measured.

The sections are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, arXiv 1810.03993.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Curves, Summary
from lesionseg.metrics.definitions import recorded_definitions, shown
from lesionseg.metrics.image_scores import ImageScores, worst_first
from lesionseg.report.table import markdown_text
from lesionseg.report.template import render
from lesionseg.report.wording import area_in_words, interval_text

WORST = 5
FEW = 30
"""Number of images below which a group says little about others like it."""
DETAILS = {
    "model": "network",
    "image_size": "height and width it sees, in pixels",
    "segmenter": "normalisation, and decision where none was fitted",
    "loss": "loss",
    "optimizer": "optimiser",
    "scheduler": "learning rate",
    "batch_size": "images in a batch",
    "seed": "seed",
}
"""Parts of the training configuration that describe the model, with their titles."""
PEOPLE = {
    "skin type": r"skin (type|tone|colou?r)|fitzpatrick|phototype",
    "diagnosis": r"^dx$|diagnosis(?!.*type)|melanoma|malignan",  # `dx_type` says how it was confirmed
    "sex": r"\b(sex|gender)\b",
    "age": r"\bage\b",
}
"""Attributes that change how lesions look, with patterns of their columns' names (`_` read as a space)."""


def model_card(summary: Summary, images: Sequence[ImageScores]) -> str:
    """Returns the card as Markdown.

    Args:
        summary: Numbers of the evaluation; without a configuration the card calls the model unknown.
        images: Scores of the same images, of which the lowest are listed.
    """
    config, definitions = summary.config, shown(recorded_definitions(summary.definitions))
    values = {
        "summary": summary,
        "how": HOW,
        "details": None if config is None else model_details(config),
        "training_data": None if config is None else described(config.get("data")),
        "metrics": {one.heading: summary.metrics[name] for name, one in definitions.items()},
        "worst": worst_first(images)[:WORST],
        "calibration": None if summary.curves is None else _calibration(summary.curves),
        "unmeasured": not_measured(summary),
    }
    filters = {"text": lambda value: markdown_text(str(value)), "interval": interval_text}
    return render("model_card.md.j2", values, filters)


def model_details(config: Mapping[str, Any]) -> dict[str, str]:
    """Describes the model by those parts that its training configuration has."""
    return {title: described(config[key]) for key, title in DETAILS.items() if config.get(key) is not None}


def described(node: Any) -> str:
    """Describes a part of a configuration by its class and settings, or by each of its parts."""
    if not isinstance(node, Mapping):
        return str(node)
    settings = ", ".join(
        f"{key} {described(value)}"
        for key, value in node.items()
        if not key.startswith("_") and value not in (None, "")
    )
    if "_target_" not in node:
        return settings
    return f"{node['_target_']} ({settings})" if settings else str(node["_target_"])


def not_measured(summary: Summary) -> list[str]:
    """Lists the questions that the evaluation leaves open."""
    parts = (_no_photographs, _unknown_people, _small_groups, _unknown_probabilities, _always)
    return [sentence for part in parts for sentence in part(summary)]


def _unknown_people(summary: Summary) -> list[str]:
    """Names attributes without at least two groups to compare."""
    names = [stratum.name.replace("_", " ").lower() for stratum in summary.strata if len(stratum.groups) > 1]
    missing = [title for title, pattern in PEOPLE.items() if not any(re.search(pattern, name) for name in names)]
    if not missing:
        return []
    return [f"Whether results differ by {', '.join(missing)}: the evaluation had no such groups to compare."]


def _no_photographs(summary: Summary) -> list[str]:
    drawn = summary.facts.get("data") == "Synthetic"
    return (
        ["Photographs: the scored images are drawn, and do not show how well real lesions are found."] if drawn else []
    )


def _small_groups(summary: Summary) -> list[str]:
    small = [
        f"{stratum.name}: {group.label} ({group.images})"
        for stratum in summary.strata
        for group in stratum.groups
        if group.images < FEW
    ]
    return [f"Groups of fewer than {FEW} images, beyond their intervals: {'; '.join(small)}."] if small else []


def _unknown_probabilities(summary: Summary) -> list[str]:
    if summary.curves is not None:
        return []
    return ["Calibration, and results at other thresholds: only masks were scored, no probabilities."]


def _always(summary: Summary) -> list[str]:
    """Lists questions that a single evaluation of a single run cannot answer."""
    run = "one set of masks" if summary.config is None else "one training run"
    images = "1 image was" if summary.images == 1 else f"{summary.images:,} images were"
    data = f" ({summary.facts['data']})" if "data" in summary.facts else ""
    return [
        f"How much another seed changes the results: {run} was scored. The intervals cover the choice of images, "
        "not of seeds.",
        f"Cases that are rarer than in these images: {images} scored.",
        f"Other data sets, hospitals and populations: one set of images was scored{data}.",
        "Other cameras: the results are not broken down by camera, and a new one may change them.",
        "How much experts differ: each image has one outline as its ground truth.",
        "Any benefit for patients.",
    ]


def _calibration(curves: Curves) -> dict[str, str]:
    """Summarises the probabilities in words and numbers."""
    pixels = sum(part.pixels for part in curves.calibration)
    confidence = sum(part.pixels * part.confidence for part in curves.calibration) / pixels
    frequency = sum(part.pixels * part.frequency for part in curves.calibration) / pixels
    return {
        "expected calibration error, 10 bins": f"{curves.calibration_error:.4f}",
        "Brier score": f"{curves.brier:.4f}",
        "mean probability of lesion": f"{confidence:.4f}",
        "share of pixels that are lesion": f"{frequency:.4f}",
        "area below the ROC curve": area_in_words(curves.roc_area, curves.roc_area_error),
        "average precision": area_in_words(curves.average_precision, curves.average_precision_error),
    }
