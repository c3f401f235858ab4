"""Caches of samples at the network's size, so that each original is decoded once and not every epoch.

The disk cache reads each file once for all runs that want the same files at the same size. One folder holds, for all
samples of a source:

    index.json      format, size, and the path and stamp of every file: the identity of the cache
    images.npy      (N, size, size, 3) uint8
    masks.npy       (N, size, size) uint8 in {0, 1}
    shares.npy      (N,) float64: share of the ground truth's own pixels that are lesion
    checksums.npy   (N,) uint32 over a row of the three, written after them; 0: not read yet
    *.json          results that were computed from all rows

The name of the folder is the hash of its index, so other files, changed files or another size make another cache. So do
files that were copied elsewhere or whose permissions were changed, because only the change time shows that another file
took the place, size and time of an old one. Rows are filled under a lock; a killed process leaves rows that are whole
or count as not read. A deleted cache is filled again.
"""

import hashlib
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
import platformdirs
from filelock import FileLock, Timeout
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from lesionseg.data.image_file import file_stamp
from lesionseg.data.source import CacheName, Resized, Sample
from lesionseg.errors import InputError, raise_all
from lesionseg.system.files import write_whole
from lesionseg.system.machine import on_all_cores

log = logging.getLogger(__name__)

POLL = 1.0  # seconds between two attempts to take a lock; a thousand jobs of a cluster may wait for one
FORMAT = 7  # changes with reading, resizing and the layout of the files


class PixelCache:
    """Samples by row, each at (size, size). This base of the other caches keeps nothing (`data.cache=none`).

    It is for sets that fit neither into memory nor onto the disk. An unreadable file is found when it is reached.
    """

    is_quick = False  # whether a prepared row comes without reading its files

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.samples = samples
        self.size = size

    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that are missing, in parallel and with a progress bar.

        Raises:
            InputError: Lists every sample that cannot be used, or says that there is no room.
        """

    def __getitem__(self, row: int) -> Resized:
        """Returns a sample, which is read if it was not prepared; its arrays may be read-only.

        Raises:
            InputError: Its files cannot be read.
        """
        return self.samples[row].read_resized(self.size)

    def remember(self, name: str, compute: Callable[[], Any]) -> Any:
        """Returns the result of `compute`, plain values that depend on all samples; a disk cache keeps them."""
        return compute()


class MemoryCache(PixelCache):
    """`data.cache=memory`: each file is read once a run; rows that are never read take no memory."""

    is_quick = True

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        super().__init__(samples, size)
        self._images = np.empty((len(samples), size, size, 3), np.uint8)
        self._masks = np.empty((len(samples), size, size), np.uint8)
        self._shares = np.full(len(samples), np.nan)  # nan: not read yet

    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that have not been read."""
        missing = [row for row in rows if np.isnan(self._shares[row])]
        read_all(self.samples, missing, self.size, self._keep)

    def __getitem__(self, row: int) -> Resized:
        """Returns views of the kept arrays."""
        if np.isnan(self._shares[row]):
            self._keep(row, super().__getitem__(row))
        image, mask = self._images[row], self._masks[row]
        image.flags.writeable = mask.flags.writeable = False  # of these views, not of the arrays
        return Resized(image, mask, float(self._shares[row]))

    def _keep(self, row: int, resized: Resized) -> None:
        self._images[row], self._masks[row], self._shares[row] = resized


class Arrays(NamedTuple):
    """The four arrays of a disk cache, mapped from their files and read-only."""

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    shares: NDArray[np.float64]
    checksums: NDArray[np.uint32]


class DiskCache(PixelCache):
    """`data.cache=disk`: pixels in files that every process maps; they take no memory of the process.

    A row with a wrong checksum is read again from its originals, and mended, when it is first asked for.

    Args:
        samples: Samples that are read from files.
        folder: Folder of all caches; this one makes a folder of its own in it.

    Raises:
        InputError: The file of a sample is missing.
    """

    is_quick = True

    def __init__(self, samples: Sequence[Sample], size: int, folder: Path) -> None:
        super().__init__(samples, size)
        identities = [[_identity(path) for path in sample.files] for sample in samples]
        self._index = json.dumps({"format": FORMAT, "size": size, "files": identities}, separators=(",", ":"))
        self.folder = folder / hashlib.sha256(self._index.encode()).hexdigest()[:32]
        self._verified = np.zeros(len(samples), bool)
        self._arrays: Arrays | None = None
        self._writing = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what another process has to open itself."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_arrays", "_writing")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Opens the files again at the first use."""
        self.__dict__.update(state, _arrays=None, _writing=threading.Lock())
        self._verified[:] = False

    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that no run has read yet; waits for another run that is reading them."""
        try:
            with self._lock():
                if not self._is_whole():
                    self._create()
                checksums = self._open().checksums
                missing = [row for row in rows if not checksums[row]]
                if missing:
                    read_all(self.samples, missing, self.size, self._keep)
        except OSError as error:
            raise InputError(self._no_room(error)) from error

    def __getitem__(self, row: int) -> Resized:
        """Returns views of the mapped files."""
        arrays = self._open()
        kept = Resized(arrays.images[row], arrays.masks[row], float(arrays.shares[row]))
        if not self._verified[row]:
            if _checksum(kept) != arrays.checksums[row]:
                return self._read_again(row)
            self._verified[row] = True
        return kept

    def remember(self, name: str, compute: Callable[[], Any]) -> Any:
        """Computes a result once for all runs; a file that cannot be read counts as none."""
        path = self.folder / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            value = compute()
        if self.folder.is_dir():
            with suppress(OSError):  # without room it is computed again next time
                write_whole(path, json.dumps(value))
        return value

    def _open(self) -> Arrays:
        if self._arrays is None:
            # Rows of plain arrays come faster than rows of NumPy's memmap.
            self._arrays = Arrays(*(np.asarray(np.load(self._path(name), mmap_mode="r")) for name in Arrays._fields))
        return self._arrays

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Returns the shape and dtype of each array."""
        count, size = len(self.samples), self.size
        return {
            "images": ((count, size, size, 3), "|u1"),
            "masks": ((count, size, size), "|u1"),
            "shares": ((count,), "<f8"),
            "checksums": ((count,), "<u4"),
        }

    def _is_whole(self) -> bool:
        """Returns whether all files are there with the right layout and length."""
        try:
            if (self.folder / "index.json").read_text(encoding="utf-8") != self._index:
                return False
            return all(_has_layout(self._path(name), *layout) for name, layout in self._layout().items())
        except Exception:  # NumPy raises errors of many types for a damaged header
            return False

    def _create(self) -> None:
        """Makes the folder with all rows unread, in one step; replaces a damaged one."""
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

    def _keep(self, row: int, resized: Resized) -> None:
        """Writes a row, then its checksum, which makes it count."""
        values = (resized.image, resized.mask, np.float64(resized.lesion_share), np.uint32(_checksum(resized)))
        with self._writing:
            for name, value in zip(Arrays._fields, values, strict=True):
                _write_row(self._path(name), len(self.samples) - row, np.asarray(value).tobytes())

    def _read_again(self, row: int) -> Resized:
        if self._open().checksums[row]:
            log.warning("The cached copy of %s is damaged: it is read again.", self.samples[row].id)
        resized = super().__getitem__(row)
        with suppress(OSError):  # on a full or read-only disk the row stays damaged, and is read again every time
            self._keep(row, resized)
        return resized

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Lets one process at a time fill the cache; the system releases the lock of a process that dies."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"), mode=0o666)  # users may share a folder
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another run is filling the image cache %s: waiting for it.", self.folder)
            lock.acquire(poll_interval=POLL)
        try:
            for leftover in self.folder.parent.glob(f".{self.folder.name}.*"):  # of a process killed in `_create`
                shutil.rmtree(leftover, ignore_errors=True)
            yield
        finally:
            lock.release()

    def _no_room(self, error: OSError) -> str:
        needed = len(self.samples) * self.size * self.size * 4 / 1e6
        free = shutil.disk_usage(next(path for path in self.folder.parents if path.exists())).free / 1e6
        return (
            f"the image cache {self.folder.parent} cannot be written ({error.strerror or error}): it takes "
            f"{needed:.0f} MB and {free:.0f} MB are free. Give another data.cache_dir, or data.cache=memory or none"
        )


def _identity(path: Path) -> tuple[str | int, ...]:
    """Returns the path and stamp of a file, which tell it from other files and from its own later versions."""
    try:
        return str(path.absolute()), *file_stamp(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _checksum(resized: Resized) -> int:
    """Returns the CRC-32 of a row, never 0."""
    pixels = zlib_ng.crc32(resized.mask, zlib_ng.crc32(resized.image))
    return zlib_ng.crc32(np.float64(resized.lesion_share).tobytes(), pixels) or 1


def _allocate(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Makes an array of zeros and reserves its room on the disk, so that a full disk shows before any reading."""
    open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _has_layout(path: Path, shape: tuple[int, ...], dtype: str) -> bool:
    """Returns whether a file is an array of that shape and of full length."""
    array = open_memmap(path, "r")
    return (array.shape, array.dtype.str, array.offset + array.nbytes) == (shape, dtype, path.stat().st_size)


def _write_row(path: Path, rows_from_end: int, content: bytes) -> None:
    """Writes through the file and not through the mapping, so that a full disk is an error and not a crash."""
    with path.open("r+b") as file:
        file.seek(-rows_from_end * len(content), os.SEEK_END)
        file.write(content)


def open_cache(name: CacheName, samples: Sequence[Sample], size: int, folder: Path | None) -> PixelCache:
    """Opens the cache that `data.cache` names; a disk cache lies below `folder`, see `cache_folder`."""
    if name == "disk":
        return DiskCache(samples, size, cache_folder(folder))
    return MemoryCache(samples, size) if name == "memory" else PixelCache(samples, size)


def cache_folder(given: Path | None) -> Path:
    """Returns the folder of disk caches: the given one, `$LESIONSEG_CACHE`, or the user's cache folder."""
    return Path(given or os.environ.get("LESIONSEG_CACHE") or platformdirs.user_cache_dir("lesionseg", appauthor=False))


def read_all(samples: Sequence[Sample], rows: Sequence[int], size: int, keep: Callable[[int, Resized], None]) -> None:
    """Reads rows on all cores, with a progress bar, and passes each to `keep`, which several threads call.

    Raises:
        InputError: Lists every sample that cannot be used; the others have been kept.
    """

    def read(row: int) -> str | None:
        try:
            keep(row, samples[row].read_resized(size))
        except InputError as error:
            return str(error)
        return None

    findings = [text for text in on_all_cores(read, rows, f"reading {len(rows)} images") if text]
    raise_all("These samples cannot be used; mend the files or take them out:", findings)
