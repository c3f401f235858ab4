"""How a folder of images and masks is laid out: which files are which, and of which part."""

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from lesionseg.data.file_types import READABLE_SUFFIXES, UNSUPPORTED_SUFFIXES
from lesionseg.data.names import as_read
from lesionseg.data.naming import PIECES, words
from lesionseg.data.source import Part
from lesionseg.errors import InputError

Role = Literal["image", "mask"]
MASK_FOLDERS = words(
    "mask masks label labels annotation annotations gt ground truth groundtruth groundtruths seg segm segmentation "
    "segmentations target targets"
)
IMAGE_FOLDERS = words("image images img imgs photo photos photograph photographs picture pictures jpeg")
VAGUE_FOLDERS = words("data input inputs original originals raw")
"""Are of images where nothing else says so."""
PARTS_OF: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "ts"), "test"),
}
BESIDE_PARTS = words("set dataset split part isic isbi task v")
"""May stand beside a part in its folder's name, as in `ISIC-2017_Training_Part1_GroundTruth`; `patient` may not."""
SUPERPIXELS = "_superpixels"
"""ISIC's archives have such a picture beside each photograph."""
LEFT_BEHIND = frozenset({"__MACOSX", "@eaDir"})
"""Folders that an archive or a file server leaves."""


@dataclass(frozen=True)
class Place:
    """Where a picture file lies and what that says of it.

    Attributes:
        path: The file.
        stem: Stem of its name, see `as_read`.
        suffix: Suffix of its name, in lower case.
        folders: Those on the way to it, but for those that all files share and those that say its role or part.
        role: None where its folders do not say.
        part: None where its folders do not say.
    """

    path: Path
    stem: str
    suffix: str
    folders: tuple[str, ...]
    role: Role | None = None
    part: Part | None = None

    @property
    def is_readable(self) -> bool:
        """Whether it is of a type that can be read."""
        return self.suffix in READABLE_SUFFIXES


def find_places(root: Path, *, images: str | None, masks: str | None) -> list[Place]:
    """Lists the picture files below a folder with what their folders say.

    Args:
        root: The folder.
        images: Folder of photographs in it, or in each part's folder; None to go by the names of all folders.
        masks: Likewise of masks.

    Raises:
        InputError: A folder that is given is missing, or one may not be read.
    """
    found = pictures_below(root)
    if images is not None and masks is not None and Path(images) == Path(masks):  # one flat folder of both
        return _given(root, found, images, None)
    roles: tuple[tuple[str | None, Role], ...] = ((images, "image"), (masks, "mask"))
    given = [place for name, role in roles if name is not None for place in _given(root, found, name, role)]
    if images is not None and masks is not None:
        return given
    known = {place.path for place in given}
    taken = {place.role for place in given}
    others = _by_folders([place for place in found if place.path not in known])
    return [*given, *(replace(place, role=None) if place.role in taken else place for place in others)]


def pictures_below(folder: Path) -> list[Place]:
    """Lists the pictures in a folder and below, readable or not, sorted, each with the folders between.

    Hidden files and folders are passed over, and so are ISIC's superpixel pictures; links are followed, but not in
    circles.

    Raises:
        InputError: A folder may not be read.
    """
    return list(_walk(str(folder), (), frozenset()))


def _walk(folder: str, between: tuple[str, ...], around: Set[tuple[int, int]]) -> Iterator[Place]:
    try:
        facts = os.stat(folder)
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); allow it, or give another data.root") from error
    identity = facts.st_dev, facts.st_ino
    if identity in around:
        return
    for entry in listed:
        if entry.name.startswith(".") or entry.name in LEFT_BEHIND:
            continue
        stem, suffix = os.path.splitext(entry.name)
        is_picture = suffix.lower() in READABLE_SUFFIXES or suffix.lower() in UNSUPPORTED_SUFFIXES
        if is_picture and entry.is_file():
            if not stem.endswith(SUPERPIXELS):
                yield Place(Path(entry.path), as_read(stem), suffix.lower(), between)
        elif entry.is_dir():
            yield from _walk(entry.path, (*between, entry.name), around | {identity})


def _by_folders(places: Sequence[Place]) -> list[Place]:
    """Reads roles and parts from the names of all folders but those that every file is in."""
    levels = zip(*(place.folders for place in places), strict=False)
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
    shared = next((level for level, name in enumerate(common) if part_of(name)), len(common))
    said = {folders: _said(folders[shared:]) for folders in {place.folders for place in places}}
    return [replace(place, **said[place.folders]) for place in places]


def _said(folders: tuple[str, ...]) -> dict[str, Any]:
    """Reads what folders say of the files in them."""
    roles = MASK_FOLDERS | IMAGE_FOLDERS | VAGUE_FOLDERS
    others = tuple(name for name in folders if not part_of(name) and not words_of(name) & roles)
    part = next((part for name in folders if (part := part_of(name))), None)
    return {"folders": others, "role": role_of(folders), "part": part}


def role_of(folders: Iterable[str]) -> Role | None:
    """Tells what is in the last of some folders, each in the one before."""
    role: Role | None = None
    is_vague = False
    for said in map(words_of, folders):
        is_vague = is_vague or bool(said & VAGUE_FOLDERS)
        role = "mask" if said & MASK_FOLDERS else "image" if said & IMAGE_FOLDERS else role
    return "image" if role is None and is_vague else role


def part_of(folder: str) -> Part | None:
    """Tells which part a folder is of, by its name: `train`, `Training_Set`, `imagesTr`, `val_masks`."""
    said = words_of(folder)
    parts = said & PARTS_OF.keys()
    beside = said - parts
    if len(parts) != 1 or beside - BESIDE_PARTS - MASK_FOLDERS - IMAGE_FOLDERS - VAGUE_FOLDERS:
        return None
    (word,) = parts
    return None if word in ("tr", "ts") and not beside else PARTS_OF[word]


def words_of(name: str) -> set[str]:
    """Returns the words of a name in lower case: `ISIC2018_TestSet` has isic, test and set."""
    return {piece.lower() for piece in PIECES.findall(name) if piece.isalpha()}


def _given(root: Path, found: Sequence[Place], name: str, role: Role | None) -> list[Place]:
    """Lists the files of a folder that the user names, in the root or in each part's folder, or elsewhere."""
    folder = root / name
    wanted = Path(name).parts
    if Path(name).is_absolute() or ".." in wanted:
        _require(folder)
        return [replace(place, role=role) for place in pictures_below(folder)]
    places = []
    for place in found:
        part = part_of(place.folders[0]) if place.folders[: len(wanted)] != wanted and place.folders else None
        inner = place.folders[1:] if part else place.folders
        if inner[: len(wanted)] == wanted:
            places.append(replace(place, folders=inner[len(wanted) :], role=role, part=part))
    if not places:
        _require(folder)
    return places


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder.absolute()}; check data.root, data.images and data.masks")
