"""Lists the pictures below a folder, with what the names of their folders say: image or mask, and which subset."""

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal

from lesionseg.data.names import LITTER, SUPERPIXELS, as_read, is_readable, is_unsupported, words, words_of
from lesionseg.data.source import Subset
from lesionseg.errors import InputError

Role = Literal["image", "mask"]
MASK_FOLDERS = words(
    "mask masks label labels annotation annotations gt ground truth groundtruth groundtruths seg segm segmentation "
    "segmentations target targets"
)
IMAGE_FOLDERS = words("image images img imgs photo photos photograph photographs picture pictures jpeg")
VAGUE_FOLDERS = words("data input inputs original originals raw")
"""Folders of images, unless another folder says otherwise."""
ROLE_FOLDERS = MASK_FOLDERS | IMAGE_FOLDERS | VAGUE_FOLDERS
SUBSETS_OF: dict[str, Subset] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing", "ts"), "test"),
}
BESIDE_SUBSETS = words("set dataset split part isic isbi task v")
"""Other words in the names of subsets' folders, as in `ISIC-2017_Training_Part1_GroundTruth`; `patient` is none."""


@dataclass(frozen=True)
class Picture:
    """A picture file, and the role and subset that its folders name.

    Attributes:
        stem: Stem of its name in Unicode's NFC form.
        suffix: Suffix of its name in lower case.
        folders: Folders on the way to it, without those that all files share or that name a role or subset.
    """

    path: Path
    stem: str
    suffix: str
    folders: tuple[str, ...]
    role: Role | None = None
    subset: Subset | None = None

    @property
    def is_readable(self) -> bool:
        """Whether its type can be read."""
        return is_readable(self.path)


def find_pictures(root: Path, *, images: str | None, masks: str | None) -> list[Picture]:
    """Lists the pictures below a folder with the roles and subsets that its folders name.

    Args:
        root: Folder of all pictures.
        images: Folder of photographs in the root or in each subset's folder; None to go by the names of all folders.
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
        if (is_readable(entry.name) or is_unsupported(entry.name)) and entry.is_file():
            stem, suffix = os.path.splitext(entry.name)
            if not stem.endswith(SUPERPIXELS):
                yield Picture(Path(entry.path), as_read(stem), suffix.lower(), between)
        elif entry.is_dir():
            yield from _walk(entry.path, (*between, entry.name), around | {identity})


def _by_folders(pictures: Sequence[Picture]) -> list[Picture]:
    """Reads roles and subsets from the names of the folders that not all files share."""
    levels = zip(*(picture.folders for picture in pictures), strict=False)
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
    shared = next((level for level, name in enumerate(common) if subset_of(name)), len(common))
    return [_with_role_and_subset(picture, picture.folders[shared:]) for picture in pictures]


def _with_role_and_subset(picture: Picture, folders: tuple[str, ...]) -> Picture:
    others = tuple(name for name in folders if not subset_of(name) and not words_of(name) & ROLE_FOLDERS)
    subset = next((subset for name in folders if (subset := subset_of(name))), None)
    return replace(picture, folders=others, role=role_of(folders), subset=subset)


def role_of(folders: Iterable[str]) -> Role | None:
    """Returns the role of files in nested folders; the innermost folder that names one counts."""
    role: Role | None = None
    is_vague = False
    for said in map(words_of, folders):
        is_vague = is_vague or bool(said & VAGUE_FOLDERS)
        role = "mask" if said & MASK_FOLDERS else "image" if said & IMAGE_FOLDERS else role
    return "image" if role is None and is_vague else role


def subset_of(folder: str) -> Subset | None:
    """Returns the subset that a folder's name says: `train`, `Training_Set`, `imagesTr`, `val_masks`."""
    said = words_of(folder)
    subsets = said & SUBSETS_OF.keys()
    beside = said - subsets
    if len(subsets) != 1 or beside - BESIDE_SUBSETS - ROLE_FOLDERS:
        return None
    (word,) = subsets
    return None if word in ("tr", "ts") and not beside else SUBSETS_OF[word]


def _in_folder(root: Path, found: Sequence[Picture], name: str, role: Role | None) -> list[Picture]:
    """Lists the pictures of a given folder, in the root, in each subset's folder, or elsewhere."""
    folder, wanted = root / name, Path(name).parts
    if Path(name).is_absolute() or ".." in wanted:
        _require(folder)
        return [replace(picture, role=role) for picture in pictures_below(folder)]
    pictures = []
    for picture in found:
        folders = picture.folders
        subset = subset_of(folders[0]) if folders and folders[: len(wanted)] != wanted else None
        inner = folders[1:] if subset else folders
        if inner[: len(wanted)] == wanted:
            pictures.append(replace(picture, folders=inner[len(wanted) :], role=role, subset=subset))
    if not pictures:
        _require(folder)
    return pictures


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder.absolute()}; check data.root, data.images and data.masks")
