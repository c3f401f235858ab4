"""The data loader: uint8 batches from worker processes that live as long as the run."""

import math
import os
from collections.abc import Iterator
from multiprocessing.queues import Queue
from typing import Any, NoReturn

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from lesionseg.data.dataset import Item, LesionDataset, collate
from lesionseg.system.machine import usable_cores, workers_that_fit
from lesionseg.system.processes import local_processes

MOST_WORKERS = 8
"""Most workers by default: more rarely help one GPU and cost memory."""
PATIENCE = 600.0
"""Seconds to wait for a worker's batch, which takes a few; a slower worker has been stopped."""
LOST = 75
"""Exit code of a worker that could not pass a batch on (EX_TEMPFAIL of sysexits.h)."""


def loader(
    dataset: LesionDataset,
    *,
    batch_size: int,
    num_workers: int | None,
    seed: int,
    shuffle: bool,
    min_batches: int = 1,
    rank: int = 0,
    world_size: int = 1,
) -> DataLoader[Item]:
    """Makes a data loader; workers start only if items are costly.

    Args:
        dataset: Dataset of at least one sample.
        batch_size: Images a batch, fewer if the dataset is smaller.
        num_workers: Worker processes; None for `default_workers`.
        seed: Seed of order and augmentation.
        shuffle: Whether, as training needs, each epoch has another order and no smaller last batch.
        min_batches: Least batches an epoch; an epoch passes over a small dataset several times.
        rank: Rank of this process under DDP.
        world_size: Number of processes under DDP.
    """
    wanted = default_workers(local_processes(world_size)) if num_workers is None else num_workers
    workers = wanted if dataset.is_costly else 0
    if workers > 0:
        item_bytes = sum(value.nbytes for value in dataset[0, 0].values() if isinstance(value, np.ndarray))
        workers = workers_that_fit(workers, batch_bytes=batch_size * item_bytes, processes=local_processes(world_size))
    length = len(dataset) if min_batches == 1 else max(len(dataset), min_batches * batch_size * world_size)
    sampler = SeededSampler(len(dataset), seed=seed, shuffle=shuffle, length=length, rank=rank, world_size=world_size)
    return DataLoader(
        dataset,
        batch_size=min(batch_size, max(len(sampler), 1)),
        sampler=sampler,
        drop_last=shuffle,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_start_worker if workers else None,
        persistent_workers=workers > 0,
        timeout=PATIENCE if workers else 0,
        pin_memory=torch.cuda.is_available(),
        # Without its own generator every pass over the validation data would advance the training's random state.
        generator=torch.Generator().manual_seed(seed),
    )


def default_workers(processes: int = 1) -> int:
    """Returns one worker less than the cores of each training process of this machine, 1 to `MOST_WORKERS`."""
    return min(max(usable_cores() // processes - 1, 1), MOST_WORKERS)


def _start_worker(_: int) -> None:
    """Gives a worker one OpenCV thread, and makes it exit if it cannot pass a batch on.

    Without shared memory for a batch Python would drop it, and PyTorch would wait for it.
    """
    cv2.setNumThreads(0)
    Queue._on_queue_feeder_error = staticmethod(_give_up)  # type: ignore[attr-defined]  # Python's hook for it


def _give_up(error: Exception, batch: Any) -> NoReturn:
    """Ends the worker, so that the training process notices at once."""
    os._exit(LOST)


class SeededSampler(Sampler[tuple[int, int]]):
    """Yields (index, augmentation seed) pairs.

    A pair depends only on the run's seed, the epoch and its position. Batches are therefore the same for any number of
    worker processes, no two workers augment alike, and a resumed run continues as if it had not stopped.

    Several processes (DDP) divide the pairs. In training all get the same number, and a remainder is dropped; in
    validation and tests every sample comes once, so that no result counts twice.

    Args:
        size: Number of samples.
        seed: Seed of the run.
        shuffle: Whether each epoch has its own order, as in training.
        length: Number of pairs in an epoch of all processes; None for one pass. A longer epoch repeats the samples in
            another order each time; the last pass may be incomplete.
        rank: Number of this process.
        world_size: Number of processes.
    """

    def __init__(
        self, size: int, *, seed: int, shuffle: bool, length: int | None = None, rank: int = 0, world_size: int = 1
    ) -> None:
        self.size = size
        self.length = size if length is None else length
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._seen = (0, 0)

    def resume(self, epoch: int, seen: int) -> None:
        """Skips the first pairs of an epoch, which this process has seen; the length does not change."""
        self.epoch, self._seen = epoch, (epoch, seen)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch; Lightning calls this before each one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yields this process's pairs of the epoch."""
        generator = np.random.default_rng([self.seed, self.epoch])
        passes = math.ceil(self.length / self.size) if self.size else 0
        orders = [generator.permutation(self.size) if self.shuffle else np.arange(self.size) for _ in range(passes)]
        order = np.concatenate(orders)[: self.length] if orders else np.arange(0)
        seeds = generator.integers(2**63, size=len(order))
        places = np.arange(self.rank, len(order), self.world_size)[: len(self)]
        left = places[self._seen[1] if self.epoch == self._seen[0] else 0 :]
        yield from zip(order[left].tolist(), seeds[left].tolist(), strict=True)

    def __len__(self) -> int:
        """Returns the number of pairs of this process."""
        if self.shuffle:
            return self.length // self.world_size
        return len(range(self.rank, self.length, self.world_size))
