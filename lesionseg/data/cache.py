"""Samples at the network's size, so that each original is decoded once and not every epoch."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import platformdirs
from rich.progress import track

from lesionseg.data.sample import Resized, Sample
from lesionseg.errors import InputError, raise_all
from lesionseg.system.cores import usable_cores

FOLDER_VARIABLE = "LESIONSEG_CACHE"


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
        """Reads what is not there yet, in parallel and with a progress bar.

        Raises:
            InputError: Lists every sample that cannot be used, or says that there is no room.
        """

    @abstractmethod
    def __getitem__(self, row: int) -> Resized:
        """Returns a sample; its arrays may be read-only.

        Raises:
            InputError: Its files cannot be read.
        """

    def remember(self, name: str, compute: Callable[[], Any]) -> Any:
        """Returns what `compute` returns, plain values that depend on all samples; once for all where that is kept."""
        return compute()


def cache_folder(given: Path | None) -> Path:
    """Returns the folder of disk caches: the one given, `$LESIONSEG_CACHE`, or the user's cache folder."""
    return Path(given or os.environ.get(FOLDER_VARIABLE) or platformdirs.user_cache_dir("lesionseg", appauthor=False))


def read_all(samples: Sequence[Sample], rows: Sequence[int], size: int, keep: Callable[[int, Resized], None]) -> None:
    """Reads rows on all cores, with a progress bar, and hands each to `keep` (which runs in several threads).

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
        except BaseException:  # a full disk, Ctrl-C: do not read the rest first
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    raise_all("These samples cannot be used; mend the files or take them out:", findings)
