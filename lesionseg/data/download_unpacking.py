"""Unpacking a zip file from the network: nothing outside its folder, nothing half."""

import shutil
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from lesionseg.data.download_progress import byte_bar, readable
from lesionseg.errors import InputError, raise_all

BLOCK = 1 << 20
BOMB_RATIO = 100
"""Unpacked to packed size that no honest archive of pictures reaches: JPEG and PNG are compressed already, so theirs is
close to 1, while deflate can reach 1032."""
BOMB_SIZE = 10**9
"""Bytes; less than a gigabyte harms no disk, so a few black pictures in a small archive pass."""
LITTER = "__MACOSX"
"""What macOS adds to the archives it makes."""
DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What `zipfile` raises on bytes that are not as they were; the last two for a method or password that is not meant."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip file to a folder, which appears only when all is there.

    What the archive holds in a top folder of that name, or in a lone folder around everything, comes to lie directly in
    `folder`. A damaged archive is deleted.

    Args:
        archive: The zip file; its members' checksums are verified.
        folder: Must not exist, its parent must.

    Raises:
        InputError: The archive is damaged or empty, a member is a link or would leave the folder, or all together are
            too large for the disk or absurdly larger than the archive.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
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
        _expect_safe(archive, members)
        total = _expect_room(archive, members, folder)
        with byte_bar("unpacking", total=total, done=0) as advance:
            for member in members:
                _extract_member(opened, member, folder.joinpath(*_path(member).parts), advance)


def _extract_member(opened: ZipFile, member: ZipInfo, path: Path, advance: Callable[[int], None]) -> None:
    """Writes one member; its permissions are not taken over, and `zipfile` checks size and CRC at its end."""
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as packed, path.open("wb") as file:
        while block := packed.read(BLOCK):
            file.write(block)
            advance(len(block))


def _path(member: ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))  # some programs for Windows write these


def _expect_safe(archive: Path, members: Sequence[ZipInfo]) -> None:
    findings = [f"{member.filename!r} {fault}" for member in members for fault in _faults(member)]
    raise_all(
        f"{archive} is refused, nothing of it was unpacked; check server=... and delete the file. Its members:",
        findings,
    )


def _faults(member: ZipInfo) -> Iterator[str]:
    """Finds what would write outside the folder, or be something else than a file or a folder.

    The rules of all systems hold on each, so that an archive is refused everywhere or nowhere.
    """
    path = _path(member)
    if path.is_absolute():
        yield "has an absolute path"
    if PureWindowsPath(member.filename).drive:
        yield "names a drive"
    if ".." in path.parts:
        yield "leads out of the folder with '..'"
    kind = stat.S_IFMT(member.external_attr >> 16)  # of Unix; 0 where the archive was made elsewhere
    if kind == stat.S_IFLNK:
        yield "is a symbolic link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield "is no ordinary file"


def _expect_room(archive: Path, members: Sequence[ZipInfo], folder: Path) -> int:
    """Checks the size of all members together, in bytes, and returns it.

    The directory's sizes can be believed: `zipfile` reads no more of a member than is said there.
    """
    total, packed = sum(member.file_size for member in members), archive.stat().st_size
    if total > BOMB_SIZE and total > BOMB_RATIO * packed:
        raise InputError(
            f"{archive} is refused, nothing of it was unpacked: its {readable(packed)} would become {readable(total)}, "
            f"more than {BOMB_RATIO} times as much, which pictures never do; check server=... and delete the file"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise InputError(
            f"{archive} needs {readable(total)} to unpack, but the disk of {folder.parent} has only {readable(free)} "
            "free; make room and run the same command again: it need not be downloaded again"
        )
    return total


def _content(unpacked: Path, name: str) -> Path:
    """Finds the folder that holds the files: in a top folder of that name, or in a folder around everything."""
    inner = [path for path in unpacked.iterdir() if path.name != LITTER and not path.name.startswith(".")]
    if (unpacked / name).is_dir():
        return _content(unpacked / name, name)
    if len(inner) == 1 and inner[0].is_dir():
        return _content(inner[0], name)
    return unpacked
