"""The report: all numbers, curves and images of an evaluation in one HTML file that opens offline."""

import base64
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lesionseg.data.outline_drawing import PREDICTION, TRUTH
from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate, Summary
from lesionseg.metrics.definitions import recorded_definitions, shown
from lesionseg.metrics.formula import Definition
from lesionseg.metrics.image_scores import ImageScores, Picture, worst_first
from lesionseg.report.areas import how_areas_are_made

MISSING = "\u2013"
DECIMALS = {"": 3, "px": 1, "%": 2}
"""By unit."""
WIDE = 450
"""Points; a wider figure takes two columns, or its letters would be too small."""
PERCENT = ("lesion_share", "hair")
"""Traits that are shares, 0 to 1."""
IN_STRATA = "touches_border"
"""The trait that its stratum says already."""


def write_page(path: Path, summary: Summary, images: Sequence[ImageScores], figures: Mapping[str, str]) -> None:
    """Writes the report; a file that is already there stays whole until the new one is complete.

    Args:
        path: In a folder that exists.
        summary: The numbers of all images.
        images: The same images, in any order; those without a picture are shown without one.
        figures: SVG by title, embedded as it is and so not from users; may be empty.
    """
    definitions = shown(recorded_definitions(summary.definitions))
    html = (
        _environment(definitions)
        .get_template("report.html.j2")
        .render(
            summary=summary,
            how=HOW,
            metrics=definitions,
            failures=sum(_fails(image) for image in images),
            figures=figures,
            colours={"truth": TRUTH, "prediction": PREDICTION},
            gallery=_gallery(images, definitions),
        )
    )
    _write_whole(path, html)


def _environment(definitions: Mapping[str, Definition]) -> Environment:
    environment = Environment(
        loader=PackageLoader("lesionseg.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Jinja's tojson writes `<` as \u003c, so that no id ends the script element; sorted keys would reorder strata.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}

    def number(value: float | None, name: str = "dice") -> str:
        return _number(value, DECIMALS[definitions[name].unit])

    def interval(estimate: Estimate, name: str = "dice") -> str:
        if estimate.low is None or estimate.high is None:
            return MISSING
        return f"{number(estimate.low, name)} to {number(estimate.high, name)}"

    environment.filters |= {"number": number, "interval": interval, "share": _share}
    environment.filters |= {"metric_title": lambda name: definitions[name].heading}
    environment.filters |= {"is_wide": _is_wide, "areas": how_areas_are_made}
    return environment


def _is_wide(svg: str) -> bool:
    """Tells a figure that would be too small to read in one column of the page."""
    size = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', svg)
    return size is not None and float(size[1]) > WIDE


def _number(value: float | None, decimals: int) -> str:
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{decimals}f}"


def _share(part: float, whole: float = 1.0) -> str:
    return f"{100 * part / whole:.1f} %" if whole else MISSING


def _fails(image: ImageScores) -> bool:
    return image.scores["failure"] > 0


def _gallery(images: Sequence[ImageScores], definitions: Mapping[str, Definition]) -> dict[str, Any]:
    """Collects what the page's script shows, worst first."""
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
    """Rounds to what may be read off; JSON has no NaN and no infinity."""
    return round(float(value), 6) if value is not None and math.isfinite(value) else None


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
