"""From what the user names (a file, a folder, a pattern) to the photographs to predict."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lesionseg.data.file_types import is_readable, is_unsupported, readable_text, unsupported_text
from lesionseg.data.layout import SUPERPIXELS
from lesionseg.errors import InputError, raise_all
from lesionseg.prediction.pattern import ANY_FOLDERS, files_matching

WILDCARDS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Picture:
    """A photograph to predict."""

    path: Path
    name: PurePosixPath
    """Below the input, without its suffix: `sub/a`. No two pictures of one listing have the same."""


class Listed(NamedTuple):
    """What an input holds."""

    pictures: list[Picture]
    """Sorted by name."""
    unsupported: Mapping[str, str]
    """Why a picture cannot be read and what to do, by its path below the input."""
    passed_over: Mapping[str, int]
    """Numbers of all other files, by what they are, for example `.txt`."""


def list_pictures(input_: str, *, leave_out: Sequence[Path]) -> Listed:
    """Lists the photographs that are meant, and what else is there.

    Of a folder these are the image files in it and below. Hidden files and folders are none, nor are ISIC's superpixel
    pictures; links to files and folders are followed, but not in circles. A picture that cannot be read (HEIC, a
    camera's raw file) is passed over where a readable one of its name is beside it, as cameras and converters leave
    both.

    Args:
        input_: An image file, a folder, or a pattern such as `photos/**/*.jpg`, in which `*` and `?` stand for any
            letters, `[ab]` for one of some and `**` for folders in folders. `~` is the user's own folder. What exists
            under the very name is not read as a pattern.
        leave_out: Folders for results: what is in one of them, where it is below the input, is not a photograph.

    Raises:
        InputError: There is nothing or no image, a folder may not be read, a folder is for input and results alike, or
            the results of two images would have one name.
    """
    named = os.path.expanduser(input_)
    if os.path.isfile(named):
        return Listed([_single(Path(named))], {}, {})
    top, parts = _split(Path(named)) if named and not os.path.isdir(named) else (Path(named), (ANY_FOLDERS, "*"))
    results = frozenset(os.path.realpath(folder) for folder in leave_out)
    _check_folder(input_, top, is_folder=os.path.isdir(named), results=results)
    files = files_matching(top, parts, leave_out=results)
    pictures = [Picture(top / file, PurePosixPath(file).with_suffix("")) for file in sorted(files) if _is_picture(file)]
    unsupported, passed_over = _others(files, {picture.name for picture in pictures})
    if not pictures:
        raise_all(f"input={input_}: has no picture that can be read:", list(unsupported.values()))
        raise InputError(
            f"input={input_}: has no image ({readable_text()}) among {len(files)} files; give another input"
        )
    _refuse_shared_names(pictures)
    return Listed(pictures, unsupported, passed_over)


def _others(files: Sequence[str], readable: Set[PurePosixPath]) -> tuple[dict[str, str], Counter[str]]:
    """Tells pictures that cannot be read, and have no `readable` copy, from files to pass over."""
    unsupported: dict[str, str] = {}
    passed_over: Counter[str] = Counter()
    for file in sorted(files):
        suffix = PurePosixPath(file).suffix.lower()
        if is_readable(file):
            passed_over["superpixels"] += not _is_picture(file)
        elif not is_unsupported(file):
            passed_over[suffix or "no suffix"] += 1
        elif PurePosixPath(file).with_suffix("") in readable:
            passed_over[f"{suffix} beside a readable picture of the same name"] += 1
        else:
            unsupported[file] = unsupported_text(file)
    return unsupported, +passed_over


def _single(path: Path) -> Picture:
    if is_unsupported(path):
        raise InputError(f"input={unsupported_text(path)}")
    if not is_readable(path):
        raise InputError(f"input={path}: is no image; allowed: {readable_text()}")
    return Picture(path, PurePosixPath(path.stem))


def _split(pattern: Path) -> tuple[Path, Sequence[str]]:
    """Splits a pattern into the folder before its first wildcard and the parts from there on."""
    parts = pattern.parts
    fixed = 0
    while fixed < len(parts) - 1 and _is_plain(Path(*parts[: fixed + 1])):
        fixed += 1
    return Path(*parts[:fixed]), parts[fixed:]


def _is_plain(folder: Path) -> bool:
    return not WILDCARDS.search(folder.name) or folder.is_dir()


def _check_folder(input_: str, top: Path, *, is_folder: bool, results: frozenset[str]) -> None:
    """Refuses what cannot be listed before it is."""
    if not input_ or not top.is_dir() or not (is_folder or WILDCARDS.search(input_)):
        raise InputError(
            f"input={input_}: there is no such file or folder{_missing(top)}; "
            "allowed: an image, a folder of images, or a pattern such as 'photos/**/*.jpg'"
        )
    if is_folder and os.path.realpath(top) in results:
        raise InputError(
            f"input={input_}: results are written there too and would be taken for photographs the next time; "
            "give another output=FOLDER, or the photographs as a pattern such as 'photos/*.jpg'"
        )


def _missing(top: Path) -> str:
    return "" if top.is_dir() else f" (looked for {top.absolute()})"


def _is_picture(file: str) -> bool:
    return is_readable(file) and not os.path.splitext(file)[0].endswith(SUPERPIXELS)


def _refuse_shared_names(pictures: Sequence[Picture]) -> None:
    """Results are named after their image without its suffix, so that `a.jpg` and `a.png` would share them."""
    files = defaultdict(list)
    for picture in pictures:
        files[picture.name].append(str(picture.path))
    raise_all(
        "Results of these images would have the same name; rename or take out all but one of each, "
        "or choose by a pattern such as 'photos/*.jpg':",
        [" and ".join(paths) for paths in files.values() if len(paths) > 1],
    )
