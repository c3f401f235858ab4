"""`data.cache=disk`: each file is read once, for all runs that want the same files at the same size.

One folder holds, for all samples of a source:

    index.json      format, size, and the place and stamp of every file: what this cache is
    images.npy      (N, size, size, 3) uint8
    masks.npy       (N, size, size) uint8 in {0, 1}
    shares.npy      (N,) float64: share of the ground truth's own pixels that are lesion
    checksums.npy   (N,) uint32 over a row of the three, written after them; 0: not read yet
    *.json          what was computed from all rows

The folder's name is the hash of its index, so other files, changed files or another size make another cache. So do
files that were copied elsewhere or whose permissions were changed: only so is a file noticed that took another's place,
size and time. Rows are filled under a lock; a process killed midway leaves rows that are whole or count as not read.
Deleting a folder costs nothing but the time to fill it again.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from numpy.lib import format as npy
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from lesionseg.data.cache import PixelCache, read_all
from lesionseg.data.file_stamp import file_stamp
from lesionseg.data.sample import Resized, Sample
from lesionseg.errors import InputError

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two looks at a lock; a thousand jobs of a cluster may wait for one."""
FORMAT = 7
"""Another number where reading or resizing changes, or this layout."""


class Arrays(NamedTuple):
    """The four arrays, mapped from their files and read-only."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    shares: NDArray[np.float64]
    checksums: NDArray[np.uint32]


class DiskCache(PixelCache):
    """Keeps pixels in files that every process maps; memory holds none of them.

    A row whose checksum does not fit is read again from its originals, and mended, when it is first asked for.

    Args:
        samples: Read from files.
        size: Height and width in pixels.
        folder: Where caches are; this one makes a folder of its own in it.

    Raises:
        InputError: A sample's file is missing.
    """

    def __init__(self, samples: Sequence[Sample], size: int, folder: Path) -> None:
        super().__init__(samples, size)
        identities = [[_identity(path) for path in sample.files] for sample in samples]
        self._index = json.dumps({"format": FORMAT, "size": size, "files": identities}, separators=(",", ":"))
        self.folder = folder / hashlib.sha256(self._index.encode()).hexdigest()[:32]
        self._verified = np.zeros(len(samples), bool)
        self._arrays: Arrays | None = None
        self._writing = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what another process must open itself."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_arrays", "_writing")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Opens the files again at the first use."""
        self.__dict__.update(state, _arrays=None, _writing=threading.Lock())
        self._verified[:] = False

    @property
    def is_quick(self) -> bool:
        """Always."""
        return True

    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that no run has read yet; waits for another run that is reading them."""
        try:
            with self._lock():
                if not self._is_whole():
                    self._create()
                checksums = self._open().checksums
                missing = [row for row in rows if not checksums[row]]
                if missing:
                    read_all(self.samples, missing, self.size, self._write)
        except OSError as error:
            raise InputError(self._no_room(error)) from error

    def __getitem__(self, row: int) -> Resized:
        """Returns a row of the mapped files, without copying it."""
        arrays = self._open()
        kept = Resized(arrays.images[row], arrays.masks[row], float(arrays.shares[row]))
        if self._verified[row]:
            return kept
        if _checksum(kept) != arrays.checksums[row]:
            return self._read_again(row)
        self._verified[row] = True
        return kept

    def remember(self, name: str, compute: Callable[[], Any]) -> Any:
        """Computes once for all runs; a file that cannot be read counts as none."""
        path = self.folder / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            value = compute()
        with suppress(OSError):  # without room it is computed again next time
            _write_whole(path, json.dumps(value))
        return value

    def _open(self) -> Arrays:
        if self._arrays is None:
            loaded = (np.load(self._path(name), mmap_mode="r") for name in Arrays._fields)
            self._arrays = Arrays(*(np.asarray(array) for array in loaded))
        return self._arrays

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and dtype of each array."""
        count, size = len(self.samples), self.size
        images, masks = (count, size, size, 3), (count, size, size)
        return {
            "images": (images, "|u1"),
            "masks": (masks, "|u1"),
            "shares": ((count,), "<f8"),
            "checksums": ((count,), "<u4"),
        }

    def _is_whole(self) -> bool:
        """Tells whether all files are there with the right beginning and length."""
        try:
            if (self.folder / "index.json").read_text(encoding="utf-8") != self._index:
                return False
            return all(_has_layout(self._path(name), *layout) for name, layout in self._layout().items())
        except (OSError, ValueError):
            return False

    def _create(self) -> None:
        """Makes the folder with all rows unread, in one step; takes the place of a damaged one."""
        temporary = self.folder.with_name(f".{self.folder.name}.{uuid4().hex}")
        temporary.mkdir()
        try:
            for name, layout in self._layout().items():
                _allocate(temporary / f"{name}.npy", *layout)
            (temporary / "index.json").write_text(self._index, encoding="utf-8")
            if self.folder.exists():
                log.warning("The image cache %s is damaged: it is made again.", self.folder)
                shutil.rmtree(self.folder)
            temporary.rename(self.folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        self._arrays = None
        self._verified[:] = False

    def _write(self, row: int, resized: Resized) -> None:
        """Writes a row, then its checksum, which makes it count."""
        values = (resized.image, resized.mask, np.float64(resized.lesion_share), np.uint32(_checksum(resized)))
        with self._writing:
            for name, value in zip(Arrays._fields, values, strict=True):
                _write_row(self._path(name), len(self.samples) - row, np.asarray(value).tobytes())

    def _read_again(self, row: int) -> Resized:
        if self._open().checksums[row]:
            log.warning("The cached copy of %s is damaged: it is read again.", self.samples[row].id)
        resized = self.samples[row].read_resized(self.size)
        with suppress(OSError):  # a disk that is full or read-only: it stays damaged, and is read again every time
            self._write(row, resized)
        return resized

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time fills a cache; the system takes the lock from one that dies."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"), mode=0o666)  # users may share a folder
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another run is filling the image cache %s: waiting for it.", self.folder)
            lock.acquire(poll_interval=POLL)
        try:
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    def _remove_leftovers(self) -> None:
        """Removes what a process killed in `_create` left."""
        for leftover in self.folder.parent.glob(f".{self.folder.name}.*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _no_room(self, error: OSError) -> str:
        needed = len(self.samples) * self.size * self.size * 4 / 1e6
        free = shutil.disk_usage(next(path for path in self.folder.parents if path.exists())).free / 1e6
        return (
            f"the image cache {self.folder.parent} cannot be written ({error.strerror or error}): it takes "
            f"{needed:.0f} MB and {free:.0f} MB are free. Give another data.cache_dir, or data.cache=memory or none"
        )


def _identity(path: Path) -> tuple[str | int, ...]:
    """Tells a file from any other and from its own later versions: its place and its stamp, see `file_stamp`."""
    try:
        return str(path.absolute()), *file_stamp(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _checksum(resized: Resized) -> int:
    """CRC-32 of a row, never 0."""
    pixels = zlib_ng.crc32(resized.mask, zlib_ng.crc32(resized.image))
    return zlib_ng.crc32(np.float64(resized.lesion_share).tobytes(), pixels) or 1


def _header(shape: tuple[int, ...], dtype: str) -> bytes:
    """What a .npy file of that shape begins with."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.getvalue()


def _length(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of a .npy file of that shape."""
    return len(_header(shape, dtype)) + int(np.prod(shape)) * np.dtype(dtype).itemsize


def _allocate(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Makes an array of zeros whose room on the disk is taken now, so that a full disk shows before any reading."""
    with path.open("wb") as file:
        file.write(_header(shape, dtype))
        file.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, _length(shape, dtype))
        else:
            file.truncate(_length(shape, dtype))


def _has_layout(path: Path, shape: tuple[int, ...], dtype: str) -> bool:
    """Tells whether a file is an array of that shape, of full length."""
    expected = _header(shape, dtype)
    with path.open("rb") as file:
        return file.read(len(expected)) == expected and path.stat().st_size == _length(shape, dtype)


def _write_whole(path: Path, text: str) -> None:
    """Writes a file in one step, or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_row(path: Path, rows_from_end: int, content: bytes) -> None:
    """Writes through the file and not through the mapping: a full disk is then an error and not a crash."""
    with path.open("r+b") as file:
        file.seek(-rows_from_end * len(content), os.SEEK_END)
        file.write(content)
