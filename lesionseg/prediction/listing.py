"""From what the user names (a file, a folder, a pattern) to the photographs to predict.

Folders are walked here, because Python's own `glob` follows links in circles, reads folders that cannot match anything,
and silently passes over those that it is not allowed to read.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lesionseg.data.names import SUPERPIXELS, is_readable, is_unsupported, readable_text, unsupported_text
from lesionseg.errors import InputError, raise_all

WILDCARDS = re.compile(r"[*?\[]")
ANY_FOLDERS = "**"
"""Section of a pattern that stands for any number of nested folders, or none."""

Identity = tuple[int, int]
"""Device and number of a folder, whatever links it was reached by."""


@dataclass(frozen=True)
class Picture:
    """A photograph to predict."""

    path: Path
    name: PurePosixPath
    """Path below the input without its suffix, such as `sub/a`; unique in a listing."""


class Listed(NamedTuple):
    """Contents of an input."""

    pictures: list[Picture]
    """Pictures sorted by name."""
    unsupported: Mapping[str, str]
    """Reasons why pictures cannot be read, with what to do, by their paths below the input."""
    passed_over: Mapping[str, int]
    """Numbers of all other files by their kind, for example `.txt`."""


def list_pictures(input_: str, *, leave_out: Sequence[Path]) -> Listed:
    """Lists the photographs of an input.

    In a folder, these are the image files at any depth, but for hidden files, hidden folders and ISIC's superpixel
    pictures. Links to files and folders are followed, but not in circles. A picture that cannot be read (HEIC, a
    camera's raw file) is passed over if a readable one of its name is beside it, as cameras and converters leave both.

    Args:
        input_: An image file, a folder, or a pattern such as `photos/**/*.jpg`, in which `*` and `?` stand for any
            letters, `[ab]` for one of some and `**` for nested folders. `~` is the user's home folder. A file or folder
            of this very name takes precedence over the pattern.
        leave_out: Folders of results, which are not searched.

    Raises:
        InputError: There is nothing or no image, a folder may not be read, a folder is for input and results alike, or
            the results of two images would have one name.
    """
    named = os.path.expanduser(input_)
    if os.path.isfile(named):
        return Listed([_single(Path(named))], {}, {})
    is_folder = os.path.isdir(named)
    top, sections = (Path(named), (ANY_FOLDERS, "*")) if is_folder or not named else _split(Path(named))
    results = frozenset(os.path.realpath(folder) for folder in leave_out)
    _check_folder(input_, top, is_folder=is_folder, results=results)
    files = sorted(_Walk(sections, results).files(str(top)))
    pictures = [Picture(top / file, PurePosixPath(file).with_suffix("")) for file in files if _is_picture(file)]
    unsupported, passed_over = _others(files, {picture.name for picture in pictures})
    if not pictures:
        raise_all(f"input={input_}: has no picture that can be read:", list(unsupported.values()))
        raise InputError(
            f"input={input_}: has no image ({readable_text()}) among {len(files)} files; give another input"
        )
    _refuse_shared_names(pictures)
    return Listed(pictures, unsupported, passed_over)


def _single(path: Path) -> Picture:
    if is_unsupported(path):
        raise InputError(f"input={unsupported_text(path)}")
    if not is_readable(path):
        raise InputError(f"input={path}: is no image; allowed: {readable_text()}")
    return Picture(path, PurePosixPath(path.stem))


def _split(pattern: Path) -> tuple[Path, Sequence[str]]:
    """Splits a pattern into the folder before its first wildcard and the sections from there on."""
    parts = pattern.parts
    fixed = 0
    while fixed < len(parts) - 1 and (not WILDCARDS.search(parts[fixed]) or Path(*parts[: fixed + 1]).is_dir()):
        fixed += 1
    return Path(*parts[:fixed]), parts[fixed:]


def _check_folder(input_: str, top: Path, *, is_folder: bool, results: Set[str]) -> None:
    if not input_ or not top.is_dir() or not (is_folder or WILDCARDS.search(input_)):
        missing = "" if top.is_dir() else f" (looked for {top.absolute()})"
        raise InputError(
            f"input={input_}: there is no such file or folder{missing}; "
            "allowed: an image, a folder of images, or a pattern such as 'photos/**/*.jpg'"
        )
    if is_folder and os.path.realpath(top) in results:
        raise InputError(
            f"input={input_}: results are written there too and would be taken for photographs the next time; "
            "give another output=FOLDER, or the photographs as a pattern such as 'photos/*.jpg'"
        )


def _is_picture(file: str) -> bool:
    return is_readable(file) and not os.path.splitext(file)[0].endswith(SUPERPIXELS)


def _others(files: Sequence[str], readable: Set[PurePosixPath]) -> tuple[dict[str, str], Counter[str]]:
    """Tells pictures that cannot be read and have no `readable` copy from files to pass over."""
    unsupported: dict[str, str] = {}
    passed_over: Counter[str] = Counter()
    for file in files:
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


def _refuse_shared_names(pictures: Sequence[Picture]) -> None:
    """Refuses pictures such as `a.jpg` and `a.png`, whose results would have one name."""
    files = defaultdict(list)
    for picture in pictures:
        files[picture.name].append(str(picture.path))
    raise_all(
        "Results of these images would have the same name; rename or take out all but one of each, "
        "or choose by a pattern such as 'photos/*.jpg':",
        [" and ".join(paths) for paths in files.values() if len(paths) > 1],
    )


class _Walk:
    """Searches folders for the files whose path below the top fits a pattern.

    Args:
        sections: Patterns for each folder on the way and, last, for the file, for example `("**", "*.jpg")`; see
            `fnmatch`. Hidden names (`.name`) fit only a section that begins with a dot.
        leave_out: Real paths of folders that are not entered.
    """

    def __init__(self, sections: Sequence[str], leave_out: Set[str]) -> None:
        self._sections = [*sections, "*"] if sections[-1] == ANY_FOLDERS else list(sections)
        self._leave_out = leave_out

    def files(
        self, folder: str, prefix: str = "", positions: Set[int] = frozenset({0}), around: Set[Identity] = frozenset()
    ) -> Iterator[str]:
        """Lists paths below the top, with `/` on any system, in no order.

        Args:
            folder: Folder to search.
            prefix: Path below the top, followed by `/`.
            positions: Indices of the sections that may come next, as the folders so far can fit in more than one way.
            around: Folders that a link in a circle would lead back to.

        Raises:
            InputError: A folder that may have such files cannot be read.
        """
        entries, identity = _entries(folder)
        if identity in around:
            return
        positions = self._with_skips(positions)
        for entry in entries:
            # A link that leads nowhere is neither file nor folder.
            if os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file():
                if len(self._sections) - 1 in positions and _fits(entry.name, self._sections[-1]):
                    yield prefix + entry.name
            elif (after := self._after(entry.name, positions)) and self._is_entered(entry):
                yield from self.files(entry.path, f"{prefix}{entry.name}/", after, around | {identity})

    def _with_skips(self, positions: Set[int]) -> Set[int]:
        """Adds the sections that come next if `**` stands for no folder."""
        reached = set(positions)
        for position, section in enumerate(self._sections):
            if section == ANY_FOLDERS and position in reached:
                reached.add(position + 1)
        return reached

    def _after(self, name: str, positions: Set[int]) -> Set[int]:
        """Returns the sections that may come next within a folder of this name; none if nothing below it can fit."""
        stays = {position for position in positions if self._sections[position] == ANY_FOLDERS and _fits(name, "*")}
        moves = {position + 1 for position in positions if _fits(name, self._sections[position])}
        return stays | (moves - {len(self._sections)})

    def _is_entered(self, entry: os.DirEntry[str]) -> bool:
        return os.path.isdir(entry.path) and os.path.realpath(entry.path) not in self._leave_out


def _entries(folder: str) -> tuple[list[os.DirEntry[str]], Identity]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
        facts = os.stat(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); allow it, or give another input") from error
    return listed, (facts.st_dev, facts.st_ino)


def _fits(name: str, section: str) -> bool:
    return fnmatch(name, section) and (section.startswith(".") or not name.startswith("."))
