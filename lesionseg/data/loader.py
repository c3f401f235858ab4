"""The data loader: uint8 batches from worker processes that live as long as the run."""

import os
from multiprocessing.queues import Queue
from typing import Any, NoReturn

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from lesionseg.data.dataset import Item, LesionDataset, collate
from lesionseg.data.sampler import SeededSampler
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
