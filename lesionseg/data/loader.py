"""The data loader: batches of uint8, computed by worker processes that live as long as the run."""

import os
from multiprocessing.queues import Queue
from typing import Any, NoReturn

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from lesionseg.data.dataset import Item, LesionDataset, collate
from lesionseg.data.sampler import SeededSampler
from lesionseg.system.cores import usable_cores
from lesionseg.system.process_rank import local_processes
from lesionseg.system.shared_memory import workers_that_fit

MOST_WORKERS = 8
"""More workers than this rarely help one GPU and cost memory."""
PATIENCE = 600.0
"""Seconds that are waited for a worker's batch, which takes a few: one that gives none by then has been stopped."""
LOST = 75
"""Exit code of a worker that could not hand a batch over: sysexits.h says of it to try again later."""


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
    """Makes a data loader; workers start only where an item takes reading or augmenting.

    Args:
        dataset: Of at least one sample.
        batch_size: Images a batch, fewer where there are not so many.
        num_workers: Worker processes; None picks one core less than each process has, 1 to `MOST_WORKERS`.
        seed: Fixes order and augmentation.
        shuffle: For training: another order every epoch, and no last smaller batch.
        min_batches: An epoch has at least this many batches: it passes over a small dataset several times.
        rank: Number of this process under DDP.
        world_size: Number of processes.
    """
    wanted = default_workers(local_processes(world_size)) if num_workers is None else num_workers
    workers = wanted if dataset.is_costly else 0
    if workers > 0:
        batch_bytes = batch_size * _item_bytes(dataset)
        workers = workers_that_fit(workers, batch_bytes=batch_bytes, processes=local_processes(world_size))
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
        # One of its own, or every pass over the validation data would move the training's random state along.
        generator=torch.Generator().manual_seed(seed),
    )


def default_workers(processes: int = 1) -> int:
    """One core is left to each training process of this machine, and its workers share the others with theirs."""
    return min(max(usable_cores() // processes - 1, 1), MOST_WORKERS)


def _item_bytes(dataset: LesionDataset) -> int:
    """Measures what one item takes in a batch."""
    return sum(value.nbytes for value in dataset[0, 0].values() if isinstance(value, np.ndarray))


def _start_worker(_: int) -> None:
    """Keeps OpenCV's own threads out of the workers, which are one core's worth each already, and lets none go on.

    A batch that a worker cannot hand over, for want of shared memory, is dropped by Python and waited for by PyTorch.
    """
    cv2.setNumThreads(0)
    Queue._on_queue_feeder_error = staticmethod(_give_up)  # type: ignore[attr-defined]  # Python's hook for it


def _give_up(error: Exception, batch: Any) -> NoReturn:
    """Ends the worker, which the training process notices at once."""
    os._exit(LOST)
