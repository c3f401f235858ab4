"""A repaired copy of a data set: what is right stays, what can be mended is, and the rest is left out and named."""

import csv
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image
from rich.progress import track

from lesionseg.cores import usable_cores
from lesionseg.data.folder import Folder
from lesionseg.data.names import as_read
from lesionseg.data.sample import FilePair
from lesionseg.data.source import Source
from lesionseg.doctor.diagnosis import Diagnosis
from lesionseg.doctor.examination import ImageFacts, MaskFacts
from lesionseg.doctor.mask_repair import cleaned, is_clean
from lesionseg.doctor.treatment import LOOSE, Treatment, treatments
from lesionseg.errors import InputError

LOG = "fixes.csv"
GROUPS = "groups.csv"
COLUMNS = ("id", "part", "image", "mask", "what was wrong", "what was done")
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp"}
"""Suffixes of formats whose files are found under another one's name."""


@dataclass(frozen=True)
class Repair:
    """What was written.

    Attributes:
        folder: Where.
        copied: Number of pairs that were right.
        mended: Number of pairs that were repaired.
        left_out: Number of pairs and loose files that were not written.
        has_groups: Whether there is a table of lesions or patients.
    """

    folder: Path
    copied: int
    mended: int
    left_out: int
    has_groups: bool


def check_target(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuses a folder that has anything in it, or that the data are in, or that is in the data.

    Args:
        folder: For the copy.
        settings: The data's; every `root` in them counts.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"fix={folder}: is there and not empty; give a new folder, nothing is ever replaced")
    target = folder.resolve()
    for root in _roots(settings):
        if target.is_relative_to(root) or root.is_relative_to(target):
            raise InputError(f"fix={folder}: lies in the data ({root}) or around them; give a folder elsewhere")


def _roots(settings: Mapping[str, Any]) -> Iterator[Path]:
    for key, value in settings.items():
        if key == "root" and value is not None:
            yield Path(value).resolve()
        elif isinstance(value, Mapping):
            yield from _roots(value)


def repair(diagnosis: Diagnosis, folder: Path) -> Repair:
    """Writes the copy and its log, as a whole or not at all.

    The copy has `images` and `masks`, in `train`, `validation` and `test` where there are parts, and `groups.csv` where
    lesions or patients are known.

    Raises:
        InputError: The set as a whole is wrong, nothing in it can be used, or it is computed and has no files.
    """
    decided = treatments(diagnosis)
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        done = _write(decided, temporary, folder, diagnosis)
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return done


def _write(decided: Sequence[Treatment], temporary: Path, folder: Path, diagnosis: Diagnosis) -> Repair:
    has_parts = len({treatment.examination.part for treatment in decided if treatment.left_out is None}) > 1
    names = _names([treatment for treatment in decided if treatment.left_out is None])
    places = {key: temporary / key[1] if has_parts else temporary for key in names}
    for place in dict.fromkeys(places.values()):
        for kind in ("images", "masks"):
            (place / kind).mkdir(parents=True)

    def treat(treatment: Treatment) -> dict[str, str] | None:
        key = treatment.examination.id, treatment.examination.part
        return _treat(treatment, places.get(key, temporary), names.get(key, ""))

    with ThreadPoolExecutor(usable_cores()) as threads:
        text, hidden = f"copying {len(decided)} pairs", not sys.stdout.isatty()
        rows = list(track(threads.map(treat, decided), text, total=len(decided), transient=True, disable=hidden))
    left_out = [row for row in rows if row and row["what was done"] == "left out"]
    if len(left_out) == len(decided):
        raise InputError(f"fix={folder}: nothing can be repaired safely, so no copy is written; see check.html")
    loose = [
        {"id": " ".join(finding.ids), "what was wrong": finding.text, "what was done": "left out"}
        for finding in diagnosis.findings
        if finding.name in LOOSE
    ]
    _write_table(temporary / LOG, COLUMNS, [row for row in rows if row] + loose)
    written = [treatment for treatment, row in zip(decided, rows, strict=True) if row not in left_out]
    groups = [
        {"image_id": names[e.id, e.part], "lesion_id": e.sample.group}
        for e in (treatment.examination for treatment in written)
        if e.sample.group is not None
    ]
    if groups:
        _write_table(temporary / GROUPS, ("image_id", "lesion_id"), groups)
    copied = rows.count(None)
    return Repair(folder, copied, len(written) - copied, len(left_out) + len(loose), bool(groups))


def _names(kept: Sequence[Treatment]) -> dict[tuple[str, str], str]:
    """Names the files of each sample by its id, without folders; no two alike, in any case."""
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for examination in (treatment.examination for treatment in kept):
        name = plain = _plain_name(examination.id)
        number = 2
        while name.lower() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.lower())
        names[examination.id, examination.part] = name
    return names


def _plain_name(id_: str) -> str:
    return as_read(id_).replace("/", "_")


def _treat(treatment: Treatment, place: Path, name: str) -> dict[str, str] | None:
    """Writes a sample's two files; returns its row of the log, or None if both were right."""
    examination = treatment.examination
    sample, image, mask = examination.sample, examination.image, examination.mask
    if not isinstance(sample, FilePair):
        raise InputError("fix copies files, and these data have none; leave fix out")
    row = {"id": sample.id, "part": examination.part, "image": str(sample.image_path), "mask": str(sample.mask_path)}
    if treatment.left_out is not None or not isinstance(image, ImageFacts) or not isinstance(mask, MaskFacts):
        return row | {"what was wrong": treatment.left_out or "cannot be read", "what was done": "left out"}
    wrong, done = [], []
    target = place / "masks" / f"{name}.png"
    if is_clean(mask) and "inverted_mask" not in treatment.kinds:
        shutil.copyfile(sample.mask_path, target)
    else:
        try:
            levels, faults = cleaned(sample.mask_path, mask, treatment.kinds)
        except InputError as error:
            return row | {"what was wrong": str(error), "what was done": "left out"}
        Image.fromarray(levels).save(target)
        wrong.append(f"mask: {', '.join(faults)}")
        done.append(f"mask {'inverted and ' if 'inverted_mask' in treatment.kinds else ''}saved as PNG of 0 and 255")
    if name != _plain_name(sample.id):
        wrong.append("its name is another pair's, too")
        done.append(f"renamed to {name}")
    suffix = sample.image_path.suffix
    if "misnamed_image" in treatment.kinds:
        suffix = SUFFIXES.get(image.file.format or "", suffix)
        wrong.append(f"image: {image.file.format} named {sample.image_path.suffix}")
        done.append(f"image renamed to {suffix}")
    shutil.copyfile(sample.image_path, place / "images" / f"{name}{suffix}")
    return row | {"what was wrong": "; ".join(wrong), "what was done": "; ".join(done)} if done else None


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def repaired_source(done: Repair, source: Source) -> Folder:
    """Opens the copy with the settings of the data that it was made of, but for how they are cut."""
    settings: dict[str, Any] = {field.name: getattr(source, field.name) for field in fields(Source)}
    settings |= {"split": "auto", "fold": None, "images": None, "masks": None, "mask_suffix": ""}
    groups = GROUPS if done.has_groups else None
    return Folder(root=done.folder, groups=groups, group_id_column="image_id", group_column="lesion_id", **settings)
