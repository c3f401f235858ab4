"""The loader: reading images for the first time, and augmented batches from the cache."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from torch.utils.data import DataLoader

from lesionseg.benchmarking.timing import Row, Speed, Work
from lesionseg.config.build import build
from lesionseg.data.cache import open_cache
from lesionseg.data.loader import Item, LesionDataset, loader
from lesionseg.data.source import Sample, Source
from lesionseg.system.machine import usable_cores

EPOCH = 64
"""Batches of an epoch, enough that its start does not count."""


@contextmanager
def loader_works(cfg: DictConfig) -> Iterator[list[Work | Speed]]:
    """Prepares reading for the first time and taking augmented batches; the caches are removed after the block.

    Raises:
        InputError: The data are missing or cannot be used.
    """
    source: Source = build("data", cfg.data)
    samples = evenly(source.samples("train"), cfg.loader_images)
    with tempfile.TemporaryDirectory(prefix="lesionseg-benchmark-") as name:
        folder = Path(name)
        cached = _cached(cfg, source, samples, folder / "cached")
        yield [_cold(cfg, source, samples, folder / "cold"), cached]


def evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Returns `count` samples, evenly spread over their order, or all if there are fewer."""
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[place] for place in places]


class Batches:
    """Endless batches of a loader."""

    def __init__(self, batches: DataLoader[Item]) -> None:
        self._loader = batches
        self._iterator = iter(batches)

    def take(self) -> None:
        """Takes a batch, if necessary of the next epoch."""
        try:
            next(self._iterator)
        except StopIteration:
            self._iterator = iter(self._loader)
            next(self._iterator)

    def drain(self) -> None:
        """Takes the batches that worker processes have made off the clock."""
        for _ in range(self._loader.num_workers * (self._loader.prefetch_factor or 0)):
            self.take()


def _cold(cfg: DictConfig, source: Source, samples: Sequence[Sample], folder: Path) -> Work | Speed:
    """Fills an empty cache with all cores; from the second time on, the system may have the files in memory."""
    if source.cache == "none":
        reason = "data.cache=none keeps nothing: each batch reads its images for the first time"
        return Speed(_row(cfg, "cold", ""), [], reason)

    def call() -> None:
        folder.mkdir(exist_ok=True)
        empty = Path(tempfile.mkdtemp(dir=folder))
        open_cache(source.cache, samples, cfg.image_size, empty).prepare(range(len(samples)))

    row = _row(cfg, "cold", f"{source.cache} cache, {_counted(usable_cores(), 'thread')}")
    return Work(row, len(samples), call, before=lambda: shutil.rmtree(folder, ignore_errors=True))


def _cached(cfg: DictConfig, source: Source, samples: Sequence[Sample], folder: Path) -> Work:
    """Takes augmented batches from the loader that training uses."""
    cache = open_cache(source.cache, samples, cfg.image_size, folder)
    cache.prepare(range(len(samples)))
    rows = np.resize(np.arange(len(samples)), EPOCH * cfg.batch_size).tolist()
    dataset = LesionDataset(cache, rows, augment=build("augmentation", cfg.augmentation), full_size_masks=False)
    made = loader(dataset, batch_size=cfg.batch_size, num_workers=cfg.num_workers, seed=cfg.seed, shuffle=True)
    batches = Batches(made)
    workers = _counted(made.num_workers, "worker") if made.num_workers else "no workers"
    row = _row(cfg, "cached, augmented", f"{source.cache} cache, {workers}, batch {cfg.batch_size}")
    return Work(row, cfg.batch_size, batches.take, before=batches.drain)


def _row(cfg: DictConfig, way: str, detail: str) -> Row:
    return Row("loader", way, str(cfg.data["_target_"]).rpartition(".")[2], detail)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
