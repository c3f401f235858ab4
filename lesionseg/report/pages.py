"""The report of an evaluation and the card of a model, filled into the Jinja templates beside this file.

The sections of the card are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, arXiv 1810.03993.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lesionseg.data.masks import PREDICTION, TRUTH
from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Curves, Estimate, Summary
from lesionseg.metrics.definitions import recorded_definitions, shown
from lesionseg.metrics.formula import Definition
from lesionseg.metrics.image_scores import ImageScores, Picture, worst_first
from lesionseg.report.table import markdown_text

MISSING = "\u2013"
DECIMALS = {"": 3, "px": 1, "%": 2}  # by unit
WIDE = 450  # points of width above which a figure takes two columns, because its letters would be too small in one
PERCENT = ("lesion_share", "hair")  # traits that are shares, 0 to 1
IN_STRATA = "touches_border"  # trait that the gallery leaves out, because its stratum shows it
SMALL_ERROR = 1e-4  # largest error of an area that is not mentioned
WORST = 5  # images that are listed
FEW = 30  # images below which a group says little about others like it
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
"""Keys of the training configuration that describe the model, with their titles."""
PEOPLE = {
    "skin type": r"skin (type|tone|colou?r)|fitzpatrick|phototype",
    "diagnosis": r"^dx$|diagnosis(?!.*type)|melanoma|malignan",  # `dx_type` says how it was confirmed
    "sex": r"\b(sex|gender)\b",
    "age": r"\bage\b",
}
"""Attributes that change how lesions look, with patterns of their columns' names (`_` read as a space)."""


def html_page(summary: Summary, images: Sequence[ImageScores], figures: Mapping[str, str]) -> str:
    """Returns the report, with images in order of their scores and with figures, SVG by title, embedded unescaped."""
    definitions = shown(recorded_definitions(summary.definitions))

    def number(value: float | None, name: str = "dice") -> str:
        return _number(value, DECIMALS[definitions[name].unit])

    def interval(estimate: Estimate, name: str = "dice") -> str:
        return " to ".join(number(end, name) for end in estimate.interval) if estimate.interval else MISSING

    values = {
        "summary": summary,
        "how": HOW,
        "metrics": definitions,
        "failures": sum(_fails(image) for image in images),
        "figures": figures,
        "colours": {"truth": TRUTH, "prediction": PREDICTION},
        "gallery": {
            "metrics": [_metric(name, definition) for name, definition in definitions.items()],
            "images": [_image(image, definitions) for image in worst_first(images)],
        },
    }
    filters: dict[str, Callable[..., Any]] = {
        "number": number,
        "interval": interval,
        "share": lambda part, whole=1.0: f"{100 * part / whole:.1f} %" if whole else MISSING,
        "is_wide": _is_wide,
        "metric_title": lambda name: definitions[name].heading,
        "areas": how_areas_are_made,
    }
    return render("report.html.j2", values, filters)


def model_card(summary: Summary, images: Sequence[ImageScores]) -> str:
    """Returns the card as Markdown; without a configuration in the summary, it calls the model unknown."""
    config, definitions = summary.config, shown(recorded_definitions(summary.definitions))
    values = {
        "summary": summary,
        "how": HOW,
        "details": None if config is None else _details(config),
        "training_data": None if config is None else described(config.get("data")),
        "metrics": {one.heading: summary.metrics[name] for name, one in definitions.items()},
        "worst": worst_first(images)[:WORST],
        "calibration": None if summary.curves is None else _calibration(summary.curves),
        "few": FEW,
        "small_groups": [(one.name, group) for one in summary.strata for group in one.groups if group.images < FEW],
        "unknown_attributes": unknown_attributes(summary),
    }
    filters = {"text": lambda value: markdown_text(str(value)), "interval": interval_text}
    return render("model_card.md.j2", values, filters)


def described(node: Any) -> str:
    """Describes a node of a configuration by its class and settings."""
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


def unknown_attributes(summary: Summary) -> list[str]:
    """Lists attributes of people without at least two groups to compare."""
    names = [stratum.name.replace("_", " ").lower() for stratum in summary.strata if len(stratum.groups) > 1]
    return [title for title, pattern in PEOPLE.items() if not any(re.search(pattern, name) for name in names)]


def render(name: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None) -> str:
    """Fills a template of this folder; values are escaped in HTML, and left to a filter in Markdown."""
    environment = Environment(
        loader=PackageLoader("lesionseg.report", "."),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Jinja's tojson writes `<` as \u003c, so that no id ends a script element; sorted keys would reorder strata.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= filters or {}
    return environment.get_template(name).render(values)


def interval_text(estimate: Estimate) -> str:
    """Writes the interval, or a dash where one image allows none."""
    return " to ".join(f"{end:.4f}" for end in estimate.interval) if estimate.interval else "-"


def area_in_words(area: float | None, error: float | None) -> str:
    """Writes an area to four digits, with its largest error where that is above `SMALL_ERROR`."""
    if area is None:
        return "undefined: all pixels are of one class"
    return f"{area:.4f}" if error is None or error <= SMALL_ERROR else f"{area:.4f}, to within {_rounded_up(error)}"


def how_areas_are_made(curves: Curves) -> str:
    """Explains in a sentence or two how exact the areas are; empty without areas."""
    errors = [error for error in (curves.roc_area_error, curves.average_precision_error) if error is not None]
    if not errors:
        return ""
    sentence = (
        "The ROC and precision-recall curves are of the pixels of all images together. Their probabilities are counted "
        "in steps that get finer towards 0 and 1; the areas are those of the single pixels"
    )
    if max(errors) <= SMALL_ERROR:
        return f"{sentence} to within {SMALL_ERROR:.4f}."
    return f"{sentence} to within {_rounded_up(max(errors))} only, because too many probabilities lie close together."


def _is_wide(svg: str) -> bool:
    """Tells whether a figure would be too small to read in one column of the page."""
    size = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', svg)
    return size is not None and float(size[1]) > WIDE


def _number(value: float | None, decimals: int) -> str:
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{decimals}f}"


def _fails(image: ImageScores) -> bool:
    return image.scores["failure"] > 0


def _metric(name: str, definition: Definition) -> dict[str, Any]:
    return {
        "name": name,
        "title": definition.heading,
        "decimals": DECIMALS[definition.unit],
        "higherIsBetter": definition.higher_is_better,
    }


def _image(image: ImageScores, definitions: Mapping[str, Definition]) -> dict[str, Any]:
    return {
        "id": image.id,
        "size": f"{image.width} \u00d7 {image.height} px",
        "scores": {name: _finite(image.scores[name]) for name in definitions},
        "flag": "missed" if image.missed else "failure" if _fails(image) else "",
        "traits": {n.replace("_", " "): _trait(n, value) for n, value in image.traits.items() if n != IN_STRATA},
        "strata": image.strata,
        "picture": None if image.picture is None else _picture(image.picture),
    }


def _trait(name: str, value: float | None) -> str:
    """Writes a trait with its unit."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{100 * value:.1f} %" if name in PERCENT else f"{value:.4g}"


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "width": picture.width,
        "height": picture.height,
        "photograph": picture.photograph and base64.b64encode(picture.photograph).decode(),
        "truth": picture.target,
        "prediction": picture.prediction,
    }


def _finite(value: float) -> float | None:
    """Rounds for JSON, which has neither NaN nor infinity."""
    return round(float(value), 6) if math.isfinite(value) else None


def _details(config: Mapping[str, Any]) -> dict[str, str]:
    return {title: described(config[key]) for key, title in DETAILS.items() if config.get(key) is not None}


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


def _rounded_up(error: float) -> str:
    return f"{math.ceil(error * 1e4) / 1e4:.4f}"
