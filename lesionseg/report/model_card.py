"""A model card: what a model is for, how well it does on whom, and what nobody has measured.

After Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, arXiv 1810.03993, whose sections it has.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Curves, Summary
from lesionseg.metrics.definitions import recorded_definitions, shown
from lesionseg.metrics.image_scores import ImageScores, worst_first
from lesionseg.report.areas import area_in_words
from lesionseg.report.scores_terminal import interval_text
from lesionseg.report.table_row import markdown_text

WORST = 5
FEW = 30
"""A group of fewer images says little about others like them."""
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
"""Parts of the training configuration that describe the model, and what they are called."""
PEOPLE = {
    "skin type": r"skin (type|tone|colou?r)|fitzpatrick|phototype",
    "diagnosis": r"^dx$|diagnosis(?!.*type)|melanoma|malignan",  # `dx_type` says how it was confirmed
    "sex": r"\b(sex|gender)\b",
    "age": r"\bage\b",
}
"""What is known to change how lesions look, with the names that columns of metadata give it, `_` read as a space."""


def write_model_card(path: Path, summary: Summary, images: Sequence[ImageScores]) -> None:
    """Writes the card as Markdown.

    Args:
        path: The file.
        summary: The evaluation; without a configuration the card says that the model is unknown.
        images: The same evaluation's images, of which the lowest scores are listed.
    """
    environment = Environment(
        loader=PackageLoader("lesionseg.report", "."),
        autoescape=False,  # it would escape HTML; Markdown's own characters are what the filter is for
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"text": lambda value: markdown_text(str(value)), "interval": interval_text}
    definitions = recorded_definitions(summary.definitions)
    card = environment.get_template("model_card.md.j2").render(
        summary=summary,
        how=HOW,
        details=None if summary.config is None else model_details(summary.config),
        training_data=None if summary.config is None else described(summary.config.get("data")),
        metrics={one.heading: summary.metrics[name] for name, one in shown(definitions).items()},
        worst=worst_first(images)[:WORST],
        calibration=None if summary.curves is None else _calibration(summary.curves),
        unmeasured=not_measured(summary),
    )
    path.write_text(card, encoding="utf-8")


def model_details(config: Mapping[str, Any]) -> dict[str, str]:
    """Describes the model in words by what its training configuration has; what is missing there is left out."""
    return {title: described(config[key]) for key, title in DETAILS.items() if config.get(key) is not None}


def described(node: Any) -> str:
    """Writes a part of a configuration in words: its class and settings, or each of its parts."""
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
    """Lists what the evaluation leaves open, from what it has and has not."""
    parts = (_no_photographs, _unknown_people, _small_groups, _unknown_probabilities, _always)
    return [sentence for part in parts for sentence in part(summary)]


def _unknown_people(summary: Summary) -> list[str]:
    """Names the attributes by which the images were not compared; a single group compares nothing."""
    names = [stratum.name.replace("_", " ").lower() for stratum in summary.strata if len(stratum.groups) > 1]
    missing = [title for title, pattern in PEOPLE.items() if not any(re.search(pattern, name) for name in names)]
    if not missing:
        return []
    return [f"Whether results differ by {', '.join(missing)}: the evaluation had no such groups to compare."]


def _no_photographs(summary: Summary) -> list[str]:
    drawn = summary.facts.get("data") == "Synthetic"
    return (
        ["Photographs: the scored images are drawn, and say nothing of how well real lesions are found."]
        if drawn
        else []
    )


def _small_groups(summary: Summary) -> list[str]:
    small = [
        f"{stratum.name}: {group.label} ({group.images})"
        for stratum in summary.strata
        for group in stratum.groups
        if group.images < FEW
    ]
    return [f"Groups of fewer than {FEW} images, beyond what their intervals say: {'; '.join(small)}."] if small else []


def _unknown_probabilities(summary: Summary) -> list[str]:
    if summary.curves is not None:
        return []
    return ["Calibration, and results at other thresholds: only masks were scored, no probabilities."]


def _always(summary: Summary) -> list[str]:
    """Lists what a single evaluation of a single run cannot tell."""
    run = "one set of masks" if summary.config is None else "one training run"
    images = "1 image was" if summary.images == 1 else f"{summary.images:,} images were"
    data = f" ({summary.facts['data']})" if "data" in summary.facts else ""
    return [
        f"How much training again changes the results: {run} was scored. The intervals are of the choice of images, "
        "not of seeds.",
        f"What is rarer than these images show: {images} scored.",
        f"Other data sets, hospitals and populations: one set of images was scored{data}.",
        "Other cameras: the results are not broken down by camera, and a new one may change them.",
        "How far experts differ from each other: each image has one outline as its truth.",
        "Any benefit for patients.",
    ]


def _calibration(curves: Curves) -> dict[str, str]:
    """Sums the probabilities up in words and numbers."""
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
