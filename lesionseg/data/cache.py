"""Caches of samples at the network's size, so that each original is decoded once and not every epoch."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from rich.progress import track

from lesionseg.data.sample import Resized, Sample
from lesionseg.data.source import CacheName
from lesionseg.errors import InputError, raise_all
from lesionseg.system.machine import usable_cores


class PixelCache(ABC):
    """Samples by row, each at (size, size).

    Args:
        samples: Row `i` is `samples[i]`.
        size: Height and width in pixels.
    """

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        self.samples = samples
        self.size = size

    @property
    @abstractmethod
    def is_quick(self) -> bool:
        """Whether a prepared row comes without reading its files."""

    @abstractmethod
    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that are missing, in parallel and with a progress bar.

        Raises:
            InputError: Lists every sample that cannot be used, or says that there is no room.
        """

    @abstractmethod
    def __getitem__(self, row: int) -> Resized:
        """Returns a sample, which is read if it was not prepared; its arrays may be read-only.

        Raises:
            InputError: Its files cannot be read.
        """

    def remember(self, name: str, compute: Callable[[], Any]) -> Any:
        """Returns the result of `compute`, plain values that depend on all samples; a disk cache keeps them."""
        return compute()


class NoCache(PixelCache):
    """`data.cache=none`: every file is read again each time, for sets that fit neither into memory nor onto the disk.

    An unreadable file is found when it is reached.
    """

    @property
    def is_quick(self) -> bool:
        """Never."""
        return False

    def prepare(self, rows: Sequence[int]) -> None:
        """Does nothing."""

    def __getitem__(self, row: int) -> Resized:
        """Reads the sample's files."""
        return self.samples[row].read_resized(self.size)


class MemoryCache(PixelCache):
    """`data.cache=memory`: each file is read once a run; rows that are never read take no memory."""

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        super().__init__(samples, size)
        self._images = np.empty((len(samples), size, size, 3), np.uint8)
        self._masks = np.empty((len(samples), size, size), np.uint8)
        self._shares = np.full(len(samples), np.nan)  # nan: not read yet

    @property
    def is_quick(self) -> bool:
        """Always."""
        return True

    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that have not been read."""
        missing = [row for row in rows if np.isnan(self._shares[row])]
        read_all(self.samples, missing, self.size, self._keep)

    def __getitem__(self, row: int) -> Resized:
        """Returns views of the kept arrays."""
        if np.isnan(self._shares[row]):
            self._keep(row, self.samples[row].read_resized(self.size))
        image, mask = self._images[row], self._masks[row]
        image.flags.writeable = mask.flags.writeable = False  # of these views, not of the arrays
        return Resized(image, mask, float(self._shares[row]))

    def _keep(self, row: int, resized: Resized) -> None:
        self._images[row], self._masks[row], self._shares[row] = resized


def open_cache(name: CacheName, samples: Sequence[Sample], size: int, folder: Path | None) -> PixelCache:
    """Opens the cache that `data.cache` names; a disk cache lies below `folder`, see `cache_folder`."""
    from lesionseg.data.disk_cache import DiskCache  # which is built on this module

    if name == "disk":
        return DiskCache(samples, size, cache_folder(folder))
    return {"memory": MemoryCache, "none": NoCache}[name](samples, size)


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

    with ThreadPoolExecutor(usable_cores()) as threads:
        results = threads.map(read, rows)
        hidden = not sys.stdout.isatty()
        bar = track(results, f"reading {len(rows)} images", total=len(rows), transient=True, disable=hidden)
        try:
            findings = [text for text in bar if text]
        except BaseException:  # a full disk or Ctrl-C ends the reading at once
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    raise_all("These samples cannot be used; mend the files or take them out:", findings)
