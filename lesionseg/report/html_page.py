"""The report: all numbers, curves and images of an evaluation in one HTML file that opens offline."""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lesionseg.data.masks import PREDICTION, TRUTH
from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate, Summary
from lesionseg.metrics.definitions import recorded_definitions, shown
from lesionseg.metrics.formula import Definition
from lesionseg.metrics.image_scores import ImageScores, Picture, worst_first
from lesionseg.report.template import render
from lesionseg.report.wording import how_areas_are_made

MISSING = "\u2013"
DECIMALS = {"": 3, "px": 1, "%": 2}
"""Decimals by unit."""
WIDE = 450
"""Width in points above which a figure takes two columns, because its letters would be too small in one."""
PERCENT = ("lesion_share", "hair")
"""Traits that are shares, 0 to 1."""
IN_STRATA = "touches_border"
"""Trait that the gallery leaves out, because its stratum shows it."""


def html_page(summary: Summary, images: Sequence[ImageScores], figures: Mapping[str, str]) -> str:
    """Returns the report.

    Args:
        summary: Numbers of all images.
        images: Scores of the same images in any order; an image without a picture is shown without one.
        figures: SVG by title, embedded unescaped; may be empty.
    """
    definitions = shown(recorded_definitions(summary.definitions))

    def number(value: float | None, name: str = "dice") -> str:
        return _number(value, DECIMALS[definitions[name].unit])

    def interval(estimate: Estimate, name: str = "dice") -> str:
        if estimate.low is None or estimate.high is None:
            return MISSING
        return f"{number(estimate.low, name)} to {number(estimate.high, name)}"

    values = {
        "summary": summary,
        "how": HOW,
        "metrics": definitions,
        "failures": sum(_fails(image) for image in images),
        "figures": figures,
        "colours": {"truth": TRUTH, "prediction": PREDICTION},
        "gallery": _gallery(images, definitions),
    }
    filters: dict[str, Callable[..., Any]] = {
        "number": number,
        "interval": interval,
        "share": _share,
        "is_wide": _is_wide,
    }
    filters |= {"metric_title": lambda name: definitions[name].heading, "areas": how_areas_are_made}
    return render("report.html.j2", values, filters)


def _is_wide(svg: str) -> bool:
    """Tells whether a figure would be too small to read in one column of the page."""
    size = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', svg)
    return size is not None and float(size[1]) > WIDE


def _number(value: float | None, decimals: int) -> str:
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{decimals}f}"


def _share(part: float, whole: float = 1.0) -> str:
    return f"{100 * part / whole:.1f} %" if whole else MISSING


def _fails(image: ImageScores) -> bool:
    return image.scores["failure"] > 0


def _gallery(images: Sequence[ImageScores], definitions: Mapping[str, Definition]) -> dict[str, Any]:
    """Collects the data of the page's script, the worst images first."""
    return {
        "metrics": [_metric(name, definition) for name, definition in definitions.items()],
        "images": [_image(image, definitions) for image in worst_first(images)],
    }


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
        "picture": _picture(image.picture),
    }


def _trait(name: str, value: float | None) -> str:
    """Writes a trait with its unit."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{100 * value:.1f} %" if name in PERCENT else f"{value:.4g}"


def _picture(picture: Picture | None) -> dict[str, Any] | None:
    if picture is None:
        return None
    photograph = picture.photograph and base64.b64encode(picture.photograph).decode()
    return {
        "width": picture.width,
        "height": picture.height,
        "photograph": photograph,
        "truth": picture.target,
        "prediction": picture.prediction,
    }


def _finite(value: float | None) -> float | None:
    """Rounds for JSON, which has neither NaN nor infinity."""
    return round(float(value), 6) if value is not None and math.isfinite(value) else None
