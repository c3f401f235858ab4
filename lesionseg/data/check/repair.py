"""A repaired copy of a data set: right files stay, some faults are mended, and the rest is left out and named."""

import csv
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.check.diagnosis import Diagnosis
from lesionseg.data.check.examination import Examination, ImageFacts, Key, MaskFacts
from lesionseg.data.check.triage import triage
from lesionseg.data.colours import WHITE
from lesionseg.data.folder import Folder
from lesionseg.data.image_file import UPRIGHT, open_image
from lesionseg.data.masks import read_grey, white_mask
from lesionseg.data.names import as_read
from lesionseg.data.source import FilePair, Source
from lesionseg.errors import InputError
from lesionseg.system.machine import on_all_cores

LOG, GROUPS = "fixes.csv", "groups.csv"
COLUMNS = ("id", "part", "image", "mask", "what was wrong", "what was done")
LEFT_OUT = "left out"
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp"}
"""Right suffixes of formats that occur under other names."""
LOOSE = ("image_without_mask", "mask_without_image", "images_of_one_name", "masks_of_one_name", "unused_picture")
"""Findings about files that are in no sample."""
WORDS = {
    "jpeg_mask": "a JPEG",
    "grey_mask": "grey levels",
    "dark_mask": "too dark",
    "inverted_mask": "lesion and skin exchanged",
    "coloured_mask": "in colours",
}

Array = NDArray[np.uint8]


@dataclass(frozen=True)
class Repair:
    """Numbers of what was written."""

    folder: Path  # of the copy
    copied: int  # pairs that were right
    mended: int  # pairs that were repaired
    left_out: int  # pairs and loose files that were not written
    has_groups: bool  # whether there is a table of lesions or patients


def check_target(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuses a folder for the copy that is not empty, that the data are in, or that is in the data.

    Every `root` in the data source's settings counts.

    Raises:
        InputError: The folder is refused.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"fix={folder}: is there and not empty; give a new folder, nothing is ever replaced")
    target = folder.resolve()
    for root in _roots(settings):
        if target.is_relative_to(root) or root.is_relative_to(target):
            raise InputError(f"fix={folder}: lies in the data ({root}) or around them; give a folder elsewhere")


def repair(diagnosis: Diagnosis, folder: Path) -> Repair:
    """Writes the copy and its log, whole or not at all.

    The copy has `images` and `masks`, in `train`, `validation` and `test` where there are subsets, and `groups.csv`
    where lesions or patients are known.

    Raises:
        InputError: The set as a whole is wrong, nothing in it can be used, or it is computed and has no files.
    """
    kinds, left_out = triage(diagnosis)
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        done = _write(diagnosis, kinds, left_out, temporary, folder)
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return done


def repaired_source(done: Repair, source: Source) -> Folder:
    """Opens the copy with the settings of the original source, except for how it is split."""
    settings: dict[str, Any] = {field.name: getattr(source, field.name) for field in fields(Source)}
    settings |= {"split": "auto", "fold": None, "images": None, "masks": None, "mask_suffix": ""}
    groups = GROUPS if done.has_groups else None
    return Folder(root=done.folder, groups=groups, group_id_column="image_id", group_column="lesion_id", **settings)


def _roots(settings: Mapping[str, Any]) -> Iterator[Path]:
    for key, value in settings.items():
        if key == "root" and value is not None:
            yield Path(value).resolve()
        elif isinstance(value, Mapping):
            yield from _roots(value)


def _write(
    diagnosis: Diagnosis, kinds: Mapping[Key, set[str]], left_out: Mapping[Key, str], temporary: Path, folder: Path
) -> Repair:
    samples = diagnosis.examinations
    kept = [one for one in samples if one.key not in left_out]
    has_subsets = len({one.subset for one in kept}) > 1
    names = _names(kept)
    places = {key: temporary / key[1] if has_subsets else temporary for key in names}
    for place in dict.fromkeys(places.values()):
        for kind in ("images", "masks"):
            (place / kind).mkdir(parents=True)

    def treat(one: Examination) -> dict[str, str] | None:
        key = one.key
        if key in left_out:
            return _row(one, left_out[key], LEFT_OUT)
        return _treat(one, kinds[key], places[key], names[key])

    rows = on_all_cores(treat, samples, f"copying {len(samples)} pairs")
    written = [one for one, row in zip(samples, rows, strict=True) if not row or row["what was done"] != LEFT_OUT]
    if not written:
        raise InputError(f"fix={folder}: nothing can be repaired safely, so no copy is written; see check.html")
    loose = [
        {"id": " ".join(finding.ids), "what was wrong": finding.text, "what was done": LEFT_OUT}
        for finding in diagnosis.findings
        if finding.name in LOOSE
    ]
    _write_table(temporary / LOG, COLUMNS, [*filter(None, rows), *loose])
    grouped = [one for one in written if one.sample.group is not None]
    if grouped:
        groups = ({"image_id": names[one.key], "lesion_id": one.sample.group} for one in grouped)
        _write_table(temporary / GROUPS, ("image_id", "lesion_id"), groups)
    copied = rows.count(None)
    return Repair(folder, copied, len(written) - copied, len(samples) - len(written) + len(loose), bool(grouped))


def _names(kept: Iterable[Examination]) -> dict[Key, str]:
    """Names the files of each sample after its id, without folders; no two names differ in case alone."""
    names: dict[Key, str] = {}
    taken: set[str] = set()
    for examination in kept:
        name = plain = _plain_name(examination.id)
        number = 2
        while name.lower() in taken:
            name, number = f"{plain}_{number}", number + 1
        taken.add(name.lower())
        names[examination.key] = name
    return names


def _plain_name(id_: str) -> str:
    return as_read(id_).replace("/", "_")


def _row(examination: Examination, wrong: str, done: str) -> dict[str, str]:
    """Describes a sample in the log.

    Raises:
        InputError: The sample has no files.
    """
    sample = examination.sample
    if not isinstance(sample, FilePair):
        raise InputError("fix copies files, and these data have none; leave fix out")
    row = {"id": sample.id, "part": examination.subset, "image": str(sample.image_path), "mask": str(sample.mask_path)}
    return row | {"what was wrong": wrong, "what was done": done}


def _treat(examination: Examination, kinds: Collection[str], place: Path, name: str) -> dict[str, str] | None:
    """Writes a sample's two files; returns its row of the log, or None if both were right."""
    sample, image, mask = examination.sample, examination.image, examination.mask
    if not isinstance(sample, FilePair) or not isinstance(image, ImageFacts) or not isinstance(mask, MaskFacts):
        return _row(examination, "cannot be read", LEFT_OUT)
    wrong, done = [], []
    target = place / "masks" / f"{name}.png"
    if _is_clean(mask) and "inverted_mask" not in kinds:
        shutil.copyfile(sample.mask_path, target)
    else:
        try:
            Image.fromarray(_cleaned(sample.mask_path, mask, kinds)).save(target)
        except InputError as error:
            return _row(examination, str(error), LEFT_OUT)
        wrong.append(f"mask: {_faults_in_words(mask, kinds)}")
        done.append(f"mask {'inverted and ' if 'inverted_mask' in kinds else ''}saved as PNG of 0 and 255")
    if name != _plain_name(sample.id):
        wrong.append("another pair has the same name")
        done.append(f"renamed to {name}")
    suffix = sample.image_path.suffix
    if "misnamed_image" in kinds:
        suffix = SUFFIXES.get(image.file.format or "", suffix)
        wrong.append(f"image: {image.file.format} named {sample.image_path.suffix}")
        done.append(f"image renamed to {suffix}")
    shutil.copyfile(sample.image_path, place / "images" / f"{name}{suffix}")
    return _row(examination, "; ".join(wrong), "; ".join(done)) if done else None


def _is_clean(mask: MaskFacts) -> bool:
    """Tells whether a mask's file may stay as it is: a grey or black-and-white PNG of 0 and 255, upright."""
    file = mask.file
    is_plain = file.format == "PNG" and file.mode in ("1", "L") and file.orientation == UPRIGHT
    return is_plain and not mask.levels[1:WHITE].any()


def _cleaned(path: Path, mask: MaskFacts, kinds: Collection[str]) -> Array:
    """Reads a mask as it was meant: (H, W) in {0, 255}, upright.

    Raises:
        InputError: It is unclear which pixels are lesion.
    """
    grey = _two_colours(path) if mask.coloured else read_grey(path)
    if "dark_mask" in kinds:
        grey = _two_levels(path, grey)
    levels = white_mask(grey, str(path))
    return WHITE - levels if "inverted_mask" in kinds else levels


def _two_colours(path: Path) -> Array:
    """Reads a mask of black and one colour as (H, W) in {0, 255}.

    Raises:
        InputError: It has other colours, so that it is unclear which one is the lesion.
    """
    colours = np.asarray(open_image(path).convert("RGB")).astype(np.uint32)
    numbers = colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
    present = np.unique(numbers)
    if len(present) != 2 or present[0] != 0:
        raise InputError(f"{path}: has {len(present)} colours; allowed: black and one other")
    return np.where(numbers > 0, WHITE, 0).astype(np.uint8)


def _two_levels(path: Path, grey: Array) -> Array:
    """Brightens a mask of 0 and one dark level.

    Raises:
        InputError: It has several levels, so that it is unclear from which one on it is lesion.
    """
    levels = np.unique(grey)
    if len(levels) != 2 or levels[0] != 0:
        raise InputError(f"{path}: has {len(levels)} levels up to {levels[-1]}; allowed: 0 and one other")
    return np.where(grey > 0, WHITE, 0).astype(np.uint8)


def _faults_in_words(mask: MaskFacts, kinds: Collection[str]) -> str:
    """Says what was wrong with a mask that `_is_clean` refuses."""
    wrong = [text for kind, text in WORDS.items() if kind in kinds]
    if not mask.levels[2:].any() and mask.levels[1]:
        wrong.append("0 and 1")
    if mask.file.mode not in ("1", "L") and not mask.coloured:
        wrong.append(f"of several channels or bytes (Pillow's mode {mask.file.mode})")
    if mask.file.format not in ("PNG", "JPEG", "MPO"):
        wrong.append(f"a {mask.file.format}")
    return ", ".join(wrong or ["stored in an unusual way"])


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
