"""The doctor's report: tables on the terminal, `check.json`, and `check.html` with pictures, which opens offline."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.config.command_line import override
from lesionseg.data.check.diagnosis import Diagnosis
from lesionseg.data.check.examination import Examination, ImageFacts, MaskFacts
from lesionseg.data.check.findings import KINDS, Finding
from lesionseg.data.check.repair import GROUPS, LOG, Repair
from lesionseg.data.image_file import read_photograph
from lesionseg.data.masks import LESION_ABOVE, draw_contours, read_grey
from lesionseg.data.source import SUBSETS, FilePair, Sample, Subset
from lesionseg.errors import InputError
from lesionseg.report.pages import render
from lesionseg.report.table import Table, console, print_lines, print_tables
from lesionseg.system.environment import code_version
from lesionseg.system.files import write_json, write_whole

Array = NDArray[np.uint8]
COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
MOST_IDS = 4  # images that a row of the terminal's table names; check.json names all
MOST_SHOWN = 24  # findings of a kind that the page shows; check.json has all
TILE = 240  # pixels, longer side of a picture


def report_diagnosis(diagnosis: Diagnosis, settings: Mapping[str, Any], folder: Path) -> None:
    """Prints the diagnosis of a source with these settings and writes `check.json` and `check.html`."""
    print_diagnosis(diagnosis)
    facts = {
        "root": settings.get("root", "-"),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "lesionseg": code_version()["version"],
        **({"found": "; ".join(diagnosis.layout)} if diagnosis.layout else {}),
    }
    findings = [finding.to_plain() for finding in diagnosis.findings]
    report = {"data": settings, **facts, "parts": subset_rows(diagnosis), "counts": diagnosis.counts}
    write_json(folder / "check.json", report | {"findings": findings})
    write_whole(folder / "check.html", page(diagnosis, str(settings["_target_"]).rpartition(".")[2], facts))
    print_lines({"with pictures": str(folder / "check.html"), "as data": str(folder / "check.json")})


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Prints a table of the subsets and one of the findings, with a row for each kind."""
    screen = console()
    for line in diagnosis.layout:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)
    print_tables(_subsets_table(diagnosis))
    if not diagnosis.findings:
        screen.print("Nothing was found: these data can be trained on.", style="bold green")
        return
    print_tables(_findings_table(diagnosis), styles=COLOURS)
    verdict = "results would be wrong" if diagnosis.counts["error"] else "nothing that would make results wrong"
    screen.print(f"{_counted(diagnosis)}: {verdict}.", style="bold")


def print_repair(done: Repair, copy: Diagnosis) -> None:
    """Prints what was written, what the doctor finds in it, and the command that trains on it."""
    groups = f" data.groups={GROUPS}" if done.has_groups else ""
    pairs = f"{done.copied} pairs as they were, {done.mended} repaired; {done.left_out} left out"
    kinds = [f"{KINDS[name].severity}: {KINDS[name].title} ({len(found)})" for name, found in copy.by_kind().items()]
    print()
    print_lines(
        {
            "repaired copy": f"{done.folder}: {pairs}",
            "what was done": str(done.folder / LOG),
            "its own check": f"\n{'':15}".join([_counted(copy), *kinds]),
            "train on it": f"python -m lesionseg.train data=folder {override('data.root', str(done.folder))}{groups}",
        }
    )


def subset_rows(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """Describes each subset that has images in plain values.

    Sizes are those of images in words and of lesions as shares, 0 to 1; they are None where no file can be read.
    """
    by_subset = {subset: [one for one in diagnosis.examinations if one.subset == subset] for subset in SUBSETS}
    return [_subset_row(subset, members) for subset, members in by_subset.items() if members]


def page(diagnosis: Diagnosis, title: str, facts: Mapping[str, Any]) -> str:
    """Returns the HTML page, with facts such as the date below its title."""

    def pictures(finding: Finding) -> list[dict[str, str | None]]:
        shown = [one for one in diagnosis.about(finding) if one.id in finding.ids[:MOST_IDS]]
        return [{"caption": f"{one.id} ({one.subset})", "image": _data_uri(one.sample)} for one in shown]

    sections = [
        {
            "name": name,
            "kind": KINDS[name],
            "count": len(findings),
            "left_out": max(len(findings) - MOST_SHOWN, 0),
            "findings": [(finding.text, pictures(finding)) for finding in findings[:MOST_SHOWN]],
        }
        for name, findings in diagnosis.by_kind().items()
    ]
    values = {"title": title, "facts": facts, "parts": subset_rows(diagnosis), "sections": sections}
    return render("data_check.html.j2", values | {"counts": diagnosis.counts})


def draw_sample(sample: Sample) -> Array | None:
    """Draws a sample with the outline of its mask, or one of the two alone where the other cannot be read.

    Returns:
        (H, W, 3) uint8 RGB of at most TILE pixels a side, or None where neither can be read.
    """
    image, mask = _read(sample)
    if image is None:
        return None if mask is None else _fitted(np.dstack([mask] * 3))
    tile = _fitted(image)
    if mask is None:
        return tile
    lesion = cv2.resize(mask, (tile.shape[1], tile.shape[0]), interpolation=cv2.INTER_AREA)
    target = np.asarray(lesion > (0 if mask.max() <= 1 else LESION_ABOVE), np.uint8)
    return draw_contours(tile, target, np.zeros_like(target), thickness=2)


def _subset_row(subset: Subset, members: Sequence[Examination]) -> dict[str, Any]:
    shapes = [one.image.file.shape for one in members if isinstance(one.image, ImageFacts)]
    shapes.sort(key=lambda shape: shape[0] * shape[1])
    sizes: list[str | None] = [f"{width} x {height}" for height, width in shapes] or [None]
    shares = [one.mask.share for one in members if isinstance(one.mask, MaskFacts)]
    small, median, large = np.quantile(shares, (0.05, 0.5, 0.95)).round(6).tolist() if shares else (None, None, None)
    lesions = {"small_lesions": small, "median_lesion": median, "large_lesions": large}
    return {"part": subset, "pairs": len(members), "smallest": sizes[0], "largest": sizes[-1], **lesions}


def _subsets_table(diagnosis: Diagnosis) -> Table:
    rows = []
    for row in subset_rows(diagnosis):
        small, median, large = (row[name] for name in ("small_lesions", "median_lesion", "large_lesions"))
        lesions = ("-", "-") if median is None else (f"{median:.1%}", f"{small:.1%} to {large:.1%}")
        rows.append([row["part"], str(row["pairs"]), row["smallest"] or "-", row["largest"] or "-", *lesions])
    return Table("subsets", ["subset", "pairs", "smallest", "largest", "median lesion", "lesions, 5 % to 95 %"], rows)


def _findings_table(diagnosis: Diagnosis) -> Table:
    rows = []
    for name, findings in diagnosis.by_kind().items():
        kind = KINDS[name]
        which = "; ".join(" = ".join(finding.ids) or finding.text for finding in findings[:MOST_IDS])
        more = f"; ... {len(findings) - MOST_IDS} more" if len(findings) > MOST_IDS else ""
        rows.append([kind.severity, kind.title, str(len(findings)), which + more, kind.advice])
    return Table("findings", ["", "what", "how many", "which", "what to do"], rows)


def _counted(diagnosis: Diagnosis) -> str:
    return ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in diagnosis.counts.items())


def _data_uri(sample: Sample) -> str | None:
    drawn = draw_sample(sample)
    if drawn is None:
        return None
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _read(sample: Sample) -> tuple[Array | None, Array | None]:
    """Reads the image and the mask's grey levels as far as they can be read."""
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
    """Resizes to TILE pixels on the longer side."""
    scale = TILE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
