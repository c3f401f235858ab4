"""The doctor's page: every kind of finding with its pictures, in one HTML file that opens offline."""

import base64
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from lesionseg.data.image_file import read_grey, read_photograph
from lesionseg.data.sample import FilePair, Sample
from lesionseg.doctor.diagnosis import Diagnosis
from lesionseg.doctor.examination import Examination
from lesionseg.doctor.finding import Finding
from lesionseg.doctor.kinds import KINDS, SEVERITIES
from lesionseg.doctor.summary import part_rows
from lesionseg.drawing import draw_contours
from lesionseg.errors import InputError

Array = NDArray[np.uint8]
MOST_SHOWN = 24
"""Findings of a kind with pictures; check.json has all."""
TILE = 240
"""Longer side of a picture in pixels."""


class Picture(NamedTuple):
    """One picture of the page."""

    caption: str
    image: str | None
    """A data URI, or None where nothing can be shown."""


def write_page(diagnosis: Diagnosis, path: Path, *, title: str, facts: Mapping[str, Any]) -> None:
    """Writes the page.

    Args:
        diagnosis: What to show.
        path: The file.
        title: The data's name.
        facts: Further rows of the table at the top, for example the date.
    """
    environment = Environment(loader=PackageLoader("lesionseg.doctor", "."), autoescape=True, undefined=StrictUndefined)
    by_id: defaultdict[str, list[Examination]] = defaultdict(list)
    for examination in diagnosis.examinations:
        by_id[examination.id].append(examination)
    sections = [
        {
            "name": name,
            "kind": KINDS[name],
            "count": len(findings),
            "left_out": max(len(findings) - MOST_SHOWN, 0),
            "findings": [(finding.text, _pictures(finding, by_id)) for finding in findings[:MOST_SHOWN]],
        }
        for name, findings in diagnosis.by_kind().items()
    ]
    counts = {severity: diagnosis.count(severity) for severity in SEVERITIES}
    page = environment.get_template("page.html.j2")
    html = page.render(title=title, facts=facts, parts=part_rows(diagnosis), sections=sections, counts=counts)
    path.write_text(html, encoding="utf-8")


def _pictures(finding: Finding, by_id: Mapping[str, Sequence[Examination]]) -> Sequence[Picture]:
    """Draws the samples that are meant, of a name in several parts all."""
    meant = [e for id_ in finding.ids[:4] for e in by_id.get(id_, ()) if finding.is_about(e.part)]
    return [Picture(f"{e.id} ({e.part})", _data_uri(e.sample)) for e in meant]


def _data_uri(sample: Sample) -> str | None:
    """Encodes a sample's picture for the page."""
    drawn = draw_sample(sample)
    if drawn is None:
        return None
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def draw_sample(sample: Sample) -> Array | None:
    """Draws a sample with the outline of its mask; one of the two alone where the other cannot be read.

    Returns:
        (H, W, 3) uint8 RGB of at most TILE pixels a side, or None where neither can be read.
    """
    image, mask = _read(sample)
    if image is None:
        return None if mask is None else _fitted(np.dstack([mask] * 3))
    tile = _fitted(image)
    if mask is None:
        return tile
    size = tile.shape[1], tile.shape[0]
    lesion = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    target = np.asarray(lesion > (0 if mask.max() <= 1 else 128), np.uint8)
    return draw_contours(tile, target, np.zeros_like(target), thickness=2)


def _read(sample: Sample) -> tuple[Array | None, Array | None]:
    """Reads what can be read: the image, and the mask's grey levels."""
    if not isinstance(sample, FilePair):
        image, mask = sample.read()
        return image, mask * np.uint8(255)
    return (
        _or_none(lambda: read_photograph(sample.image_path, for_size=TILE).pixels),
        _or_none(lambda: read_grey(sample.mask_path)),
    )


def _or_none(read: Callable[[], Array]) -> Array | None:
    try:
        return read()
    except InputError:
        return None


def _fitted(image: Array) -> Array:
    """Shrinks to TILE pixels on the longer side, keeping the aspect ratio."""
    scale = TILE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
