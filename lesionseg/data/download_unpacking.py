"""Unpacks zip files that come from the network."""

import shutil
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from rich.filesize import decimal
from rich.progress import track

from lesionseg.data.names import LITTER
from lesionseg.errors import InputError, raise_all

BOMB_RATIO = 100
"""Ratio of unpacked to packed size above which an archive is refused. JPEG and PNG are compressed, so that an archive
of them is close to 1; deflate reaches 1032."""
BOMB_SIZE = 10**9
"""Unpacked bytes up to which the ratio is not checked: a few black pictures compress well."""
DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""Exceptions of `zipfile` on damaged bytes; the last two for unknown methods and passwords."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip file to a folder, which appears only when it is complete.

    The contents of a top folder of the same name, or of a single folder around everything, are moved up to `folder`. A
    damaged archive is deleted.

    Args:
        archive: Zip file; the checksums of its members are verified.
        folder: Target, which must not exist, in a folder that does.

    Raises:
        InputError: The archive is damaged or empty, has a member that is a link or leaves the folder, does not fit on
            the disk, or unpacks to far more than pictures do.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
    try:
        temporary.mkdir()
        _extract(archive, temporary)
        _content(temporary, folder.name).rename(folder)
    except DAMAGE as error:
        archive.unlink()
        raise InputError(f"{archive} is damaged ({error}) and has been deleted; run the same command again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    with ZipFile(archive) as opened:
        members = opened.infolist()
        if all(member.is_dir() for member in members):
            raise BadZipFile("it holds no file")
        raise_all(
            f"{archive} is refused, nothing of it was unpacked; check server=... and delete the file. Its members:",
            [f"{member.filename!r} {fault}" for member in members for fault in _faults(member)],
        )
        _require_room(archive, members, folder)
        hidden = not sys.stdout.isatty()
        for member in track(members, f"unpacking {len(members)} files", transient=True, disable=hidden):
            path = folder.joinpath(*_path(member).parts)
            (path if member.is_dir() else path.parent).mkdir(parents=True, exist_ok=True)
            if not member.is_dir():  # permissions are not restored
                with opened.open(member) as packed, path.open("wb") as file:
                    shutil.copyfileobj(packed, file)


def _path(member: ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))  # some programs for Windows write these


def _faults(member: ZipInfo) -> Iterator[str]:
    """Finds what writes outside the folder, or is no file or folder, by the rules of all systems."""
    path = _path(member)
    if path.is_absolute():
        yield "has an absolute path"
    if PureWindowsPath(member.filename).drive:
        yield "names a drive"
    if ".." in path.parts:
        yield "leads out of the folder with '..'"
    kind = stat.S_IFMT(member.external_attr >> 16)  # of Unix; 0 in archives made elsewhere
    if kind == stat.S_IFLNK:
        yield "is a symbolic link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield "is no ordinary file"


def _require_room(archive: Path, members: Sequence[ZipInfo], folder: Path) -> None:
    """Checks the announced sizes, which hold: `zipfile` reads no more of a member."""
    total, packed = sum(member.file_size for member in members), archive.stat().st_size
    if total > BOMB_SIZE and total > BOMB_RATIO * packed:
        raise InputError(
            f"{archive} is refused, nothing of it was unpacked: its {decimal(packed)} would become {decimal(total)}, "
            f"more than {BOMB_RATIO} times as much, which pictures never do; check server=... and delete the file"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise InputError(
            f"{archive} needs {decimal(total)} to unpack, but the disk of {folder.parent} has only {decimal(free)} "
            "free; make room and run the same command again, which does not download it again"
        )


def _content(unpacked: Path, name: str) -> Path:
    """Returns the folder that holds the files."""
    inner = [path for path in unpacked.iterdir() if path.name not in LITTER and not path.name.startswith(".")]
    if (unpacked / name).is_dir():
        return _content(unpacked / name, name)
    if len(inner) == 1 and inner[0].is_dir():
        return _content(inner[0], name)
    return unpacked
