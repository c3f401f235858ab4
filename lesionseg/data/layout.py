"""Lists the pictures below a folder, with what the names of their folders say: image or mask, and which part."""

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal

from lesionseg.data.file_types import READABLE_SUFFIXES, UNSUPPORTED_SUFFIXES
from lesionseg.data.names import LITTER, as_read, words, words_of
from lesionseg.data.source import Part
from lesionseg.errors import InputError

Role = Literal["image", "mask"]
MASK_FOLDERS = words(
    "mask masks label labels annotation annotations gt ground truth groundtruth groundtruths seg segm segmentation "
    "segmentations target targets"
)
IMAGE_FOLDERS = words("image images img imgs photo photos photograph photographs picture pictures jpeg")
VAGUE_FOLDERS = words("data input inputs original originals raw")
"""Folders of images, unless another folder says otherwise."""
PARTS_OF: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "ts"), "test"),
}
BESIDE_PARTS = words("set dataset split part isic isbi task v")
"""Other words in the names of parts' folders, as in `ISIC-2017_Training_Part1_GroundTruth`; `patient` is none."""
SUPERPIXELS = "_superpixels"
"""Suffix of further pictures in ISIC's archives."""


@dataclass(frozen=True)
class Picture:
    """A picture file and what its place says of it.

    Attributes:
        path: The file.
        stem: Stem of its name in Unicode's NFC form.
        suffix: Suffix of its name in lower case.
        folders: Folders on the way to it, without those that all files share or that name a role or part.
        role: Role that its folders name, or None.
        part: Part that its folders name, or None.
    """

    path: Path
    stem: str
    suffix: str
    folders: tuple[str, ...]
    role: Role | None = None
    part: Part | None = None

    @property
    def is_readable(self) -> bool:
        """Whether its type can be read."""
        return self.suffix in READABLE_SUFFIXES


def find_pictures(root: Path, *, images: str | None, masks: str | None) -> list[Picture]:
    """Lists the pictures below a folder with the roles and parts that its folders name.

    Args:
        root: The folder.
        images: Folder of photographs in the root or in each part's folder; None to go by the names of all folders.
        masks: Folder of masks; the same as `images` for a flat folder of both.

    Raises:
        InputError: A folder that is given is missing, or one cannot be read.
    """
    found = pictures_below(root)
    if images is not None and masks is not None and Path(images) == Path(masks):
        return _in_folder(root, found, images, None)
    roles: tuple[tuple[str | None, Role], ...] = ((images, "image"), (masks, "mask"))
    given = [picture for name, role in roles if name is not None for picture in _in_folder(root, found, name, role)]
    if images is not None and masks is not None:
        return given
    known, taken = {picture.path for picture in given}, {picture.role for picture in given}
    others = _by_folders([picture for picture in found if picture.path not in known])
    return [*given, *(replace(picture, role=None) if picture.role in taken else picture for picture in others)]


def pictures_below(folder: Path) -> list[Picture]:
    """Lists the pictures in a folder and below, readable or not, sorted, each with the folders between.

    Hidden files and folders and ISIC's superpixels are skipped; links are followed, except in circles.

    Raises:
        InputError: A folder cannot be read.
    """
    return list(_walk(str(folder), (), frozenset()))


def _walk(folder: str, between: tuple[str, ...], around: Set[tuple[int, int]]) -> Iterator[Picture]:
    try:
        status = os.stat(folder)
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); allow it, or give another data.root") from error
    identity = status.st_dev, status.st_ino
    if identity in around:
        return
    for entry in listed:
        if entry.name.startswith(".") or entry.name in LITTER:
            continue
        stem, suffix = os.path.splitext(entry.name)
        is_picture = suffix.lower() in READABLE_SUFFIXES or suffix.lower() in UNSUPPORTED_SUFFIXES
        if is_picture and entry.is_file():
            if not stem.endswith(SUPERPIXELS):
                yield Picture(Path(entry.path), as_read(stem), suffix.lower(), between)
        elif entry.is_dir():
            yield from _walk(entry.path, (*between, entry.name), around | {identity})


def _by_folders(pictures: Sequence[Picture]) -> list[Picture]:
    """Reads roles and parts from the names of the folders that not all files share."""
    levels = zip(*(picture.folders for picture in pictures), strict=False)
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
    shared = next((level for level, name in enumerate(common) if part_of(name)), len(common))
    return [_with_role_and_part(picture, picture.folders[shared:]) for picture in pictures]


def _with_role_and_part(picture: Picture, folders: tuple[str, ...]) -> Picture:
    roles = MASK_FOLDERS | IMAGE_FOLDERS | VAGUE_FOLDERS
    others = tuple(name for name in folders if not part_of(name) and not words_of(name) & roles)
    part = next((part for name in folders if (part := part_of(name))), None)
    return replace(picture, folders=others, role=role_of(folders), part=part)


def role_of(folders: Iterable[str]) -> Role | None:
    """Returns the role of files in nested folders; the innermost folder that names one counts."""
    role: Role | None = None
    is_vague = False
    for said in map(words_of, folders):
        is_vague = is_vague or bool(said & VAGUE_FOLDERS)
        role = "mask" if said & MASK_FOLDERS else "image" if said & IMAGE_FOLDERS else role
    return "image" if role is None and is_vague else role


def part_of(folder: str) -> Part | None:
    """Returns the part that a folder's name says: `train`, `Training_Set`, `imagesTr`, `val_masks`."""
    said = words_of(folder)
    parts = said & PARTS_OF.keys()
    beside = said - parts
    if len(parts) != 1 or beside - BESIDE_PARTS - MASK_FOLDERS - IMAGE_FOLDERS - VAGUE_FOLDERS:
        return None
    (word,) = parts
    return None if word in ("tr", "ts") and not beside else PARTS_OF[word]


def _in_folder(root: Path, found: Sequence[Picture], name: str, role: Role | None) -> list[Picture]:
    """Lists the pictures of a given folder, in the root, in each part's folder, or elsewhere."""
    folder, wanted = root / name, Path(name).parts
    if Path(name).is_absolute() or ".." in wanted:
        _require(folder)
        return [replace(picture, role=role) for picture in pictures_below(folder)]
    pictures = []
    for picture in found:
        folders = picture.folders
        part = part_of(folders[0]) if folders and folders[: len(wanted)] != wanted else None
        inner = folders[1:] if part else folders
        if inner[: len(wanted)] == wanted:
            pictures.append(replace(picture, folders=inner[len(wanted) :], role=role, part=part))
    if not pictures:
        _require(folder)
    return pictures


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder.absolute()}; check data.root, data.images and data.masks")
