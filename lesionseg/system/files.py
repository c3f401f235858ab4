"""Files that are written whole or not at all, their hashes, failing disks, and output that survives its reader."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from lesionseg.errors import FaultError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DISK_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "there is no permission",
    errno.ENOTDIR: "a folder is no folder but a file",
    errno.ENOENT: "the file or its folder is gone",
    errno.EIO: "the disk fails",
    errno.ESTALE: "the network folder is gone",
}
READER_GONE = (errno.EPIPE, errno.EIO)
"""Errors of writing to a pipe whose reader (`head`) has ended, or to a closed terminal."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a temporary file that replaces `path` once all of it is on the disk.

    Missing folders are made. If writing fails, as on a full disk, the earlier file stays whole.

    Raises:
        OSError: The disk is full, read-only or gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # only the owner may read tempfile's
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Writes a text as UTF-8, see `whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode())


def write_json(path: Path, contents: Any) -> None:
    """Writes plain values as indented JSON, see `whole_file`."""
    write_whole(path, json.dumps(contents, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Opens a draft folder whose contents replace those of the same name in `folder` once all of them are written.

    A missing `folder` is made. If writing fails, the draft is removed and `folder` stays as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft.", dir=folder) as name:
        draft = Path(name)
        yield draft
        for path in sorted(draft.iterdir()):
            target = folder / path.name
            if path.is_dir():
                shutil.rmtree(target, ignore_errors=True)
            os.replace(path, target)


def file_sha256(path: Path) -> str:
    """Hashes a file's bytes, in hexadecimal digits as `sha256sum` prints them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents_sha256(contents: Any) -> str:
    """Hashes plain values, the same wherever and in whatever order their keys were collected."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def disk_fault_of(error: BaseException) -> FaultError | None:
    """Describes an error of a disk, with the file; returns None for all others."""
    if isinstance(error, OSError) and error.errno in DISK_FAULTS:
        return FaultError(f"{DISK_FAULTS[error.errno]}: {error.filename or error.strerror}")
    return None


class LastingFile(io.FileIO):
    """A file for writing that discards everything once its reader is gone."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Writes bytes; discards them and all later ones, of child processes too, once the reader is gone."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in READER_GONE:
                raise
            _discard(self.fileno())
            return memoryview(data).nbytes


def outlast_readers() -> None:
    """Makes `sys.stdout` and `sys.stderr` discard their output, instead of raising, when their reader goes away.

    A stream that was closed before the process started (`>&-`) is opened to the null device: otherwise the next file
    would get its number and receive what others print. Streams that have replaced Python's own are left alone.
    """
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr, 2)


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    """Reopens a stream with the same settings."""
    if stream is None:
        _discard(number)
        return open(number, "w", encoding="utf-8", closefd=False)
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(LastingFile(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream is sys.stderr or stream.isatty(),
    )


def _discard(number: int) -> None:
    """Points a file descriptor, open or not, to the null device."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    if null_device != number:
        os.dup2(null_device, number)
        os.close(null_device)
