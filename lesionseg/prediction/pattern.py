"""Finding files by a pattern of their path, in one walk that never goes in circles.

Python's own `glob` follows links in circles, reads folders that cannot match anything, and passes over those that it is
not allowed to read without a word.
"""

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from lesionseg.errors import InputError

ANY_FOLDERS = "**"
"""A part that stands for any number of folders in folders, or none."""

Identity = tuple[int, int]
"""Device and number of a folder, whatever links it was reached by."""


def files_matching(top: Path, parts: Sequence[str], *, leave_out: Set[str]) -> list[str]:
    """Lists the files whose path below a folder fits a pattern.

    Args:
        top: The folder.
        parts: What each folder on the way and, last, the file may be called, for example `("**", "*.jpg")`; see
            `fnmatch`. Hidden names (`.name`) fit only a part that begins with a dot.
        leave_out: Real paths of folders below `top` that are not entered.

    Returns:
        Paths below `top`, with `/` on any system, in no order.

    Raises:
        InputError: A folder that may have such files cannot be read.
    """
    parts = [*parts, "*"] if parts[-1] == ANY_FOLDERS else list(parts)
    return list(_Walk(parts, leave_out).files(str(top), "", _with_skips({0}, parts), frozenset()))


@dataclass(frozen=True)
class _Walk:
    parts: Sequence[str]
    leave_out: Set[str]

    def files(self, folder: str, prefix: str, positions: Set[int], around: Set[Identity]) -> Iterator[str]:
        """Walks a folder that was reached through the folders `around`.

        Args:
            folder: Its path.
            prefix: Its path below the top, with a `/` behind it, or nothing.
            positions: Which of the parts may come next, as the folders so far can be read in more than one way.
            around: To notice a link back.
        """
        entries, identity = _read(folder)
        if identity in around:
            return
        for entry in entries:
            if _is_file(entry):
                if len(self.parts) - 1 in positions and _fits(entry.name, self.parts[-1]):
                    yield prefix + entry.name
            elif (after := _after(entry.name, positions, self.parts)) and self._is_entered(entry):
                yield from self.files(entry.path, f"{prefix}{entry.name}/", after, around | {identity})

    def _is_entered(self, entry: os.DirEntry[str]) -> bool:
        return os.path.isdir(entry.path) and os.path.realpath(entry.path) not in self.leave_out


def _read(folder: str) -> tuple[list[os.DirEntry[str]], Identity]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
        facts = os.stat(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); allow it, or give another input") from error
    return listed, (facts.st_dev, facts.st_ino)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tells files and links to files from all else; a link that leads nowhere is neither file nor folder."""
    return os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file()


def _after(name: str, positions: Set[int], parts: Sequence[str]) -> Set[int]:
    """Tells which parts may come next within a folder of this name; none where nothing below it can fit."""
    stays = {position for position in positions if parts[position] == ANY_FOLDERS and _fits(name, "*")}
    moves = {position + 1 for position in positions if position + 1 < len(parts) and _fits(name, parts[position])}
    return _with_skips(stays | moves, parts)


def _with_skips(positions: Set[int], parts: Sequence[str]) -> Set[int]:
    """Adds the parts that come next where `**` stands for no folder."""
    reached = set(positions)
    for position, part in enumerate(parts):
        if part == ANY_FOLDERS and position in reached:
            reached.add(position + 1)
    return reached


def _fits(name: str, part: str) -> bool:
    return fnmatch(name, part) and (part.startswith(".") or not name.startswith("."))
