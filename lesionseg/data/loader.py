"""Datasets and data loaders: uint8 batches from worker processes that live as long as the run."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.queues import Queue
from typing import Any, NoReturn, NotRequired, TypedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lesionseg.data.cache import PixelCache
from lesionseg.system.machine import usable_cores, workers_that_fit
from lesionseg.system.processes import local_processes

Array = NDArray[np.uint8]
Augment = Callable[[Array, Array, int], tuple[Array, Array]]
"""(image (H, W, 3), mask (H, W), seed) -> image and mask, changed together."""
MOST_WORKERS = 8  # most workers by default: more rarely help one GPU and cost memory
PATIENCE = 600.0  # seconds to wait for a worker's batch, which takes a few; a slower worker has been stopped
LOST = 75  # exit code of a worker that could not pass a batch on (EX_TEMPFAIL of sysexits.h)


class Batch(TypedDict):
    """Samples as the data loader returns them and the network takes them."""

    image: Tensor  # (B, 3, H, W) uint8 RGB 0..255, channels_last
    mask: Tensor  # (B, 1, H, W) uint8 in {0, 1}
    id: list[str]
    full_size_mask: NotRequired[
        list[Tensor]
    ]  # for scoring: ground truths at their own sizes, (1, H, W) uint8 in {0, 1}


class Item(TypedDict):
    """One sample of a batch, channels last."""

    image: Array
    mask: Array
    id: str
    full_size_mask: NotRequired[Array]


class LesionDataset(Dataset[Item]):
    """Some rows of a cache as a PyTorch dataset.

    Args:
        cache: The pixels of all samples at the network's size.
        rows: Rows of the cache that belong to this dataset.
        augment: Changes each item by a seed of its own.
        full_size_masks: Whether items also have the ground truth at its own size, which scoring needs.
    """

    def __init__(
        self, cache: PixelCache, rows: Sequence[int], *, augment: Augment | None, full_size_masks: bool
    ) -> None:
        self.cache = cache
        self.rows = rows
        self.augment = augment
        self.full_size_masks = full_size_masks

    def __len__(self) -> int:
        """Returns the number of samples."""
        return len(self.rows)

    @property
    def is_costly(self) -> bool:
        """Whether items are read from files or augmented, so that worker processes pay."""
        return not self.cache.is_quick or self.augment is not None or self.full_size_masks

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Returns the item for (index, seed); the seed fixes its augmentation in any worker."""
        index, seed = key
        row = self.rows[index]
        sample = self.cache.samples[row]
        image, mask, _ = self.cache[row]
        if self.augment is not None:
            image, mask = self.augment(image, mask, seed)
        item: Item = {"image": image, "mask": mask, "id": sample.id}
        if self.full_size_masks:
            item["full_size_mask"] = sample.mask()
        return item


def collate(items: Sequence[Item]) -> Batch:
    """Stacks items into a batch; the permuted image is channels_last without a copy."""
    batch: Batch = {
        "image": torch.from_numpy(np.stack([item["image"] for item in items])).permute(0, 3, 1, 2),
        "mask": torch.from_numpy(np.stack([item["mask"] for item in items])).unsqueeze(1),
        "id": [item["id"] for item in items],
    }
    if "full_size_mask" in items[0]:
        batch["full_size_mask"] = [torch.from_numpy(item["full_size_mask"]).unsqueeze(0) for item in items]
    return batch


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
    """Makes a data loader of at least one sample; workers start only if items are costly.

    A batch is no larger than the dataset. With `shuffle`, as training needs, each epoch has another order and no
    smaller last batch. An epoch of at least `min_batches` passes over a small dataset several times. Without
    `num_workers` there are `default_workers`. `rank` and `world_size` are those of DDP.
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
        shuffle: Whether each epoch has its own order, as in training.
        length: Number of pairs in an epoch of all processes; None for one pass. A longer epoch repeats the samples in
            another order each time; the last pass may be incomplete.
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
        positions = np.arange(self.rank, len(order), self.world_size)[: len(self)]
        left = positions[self._seen[1] if self.epoch == self._seen[0] else 0 :]
        yield from zip(order[left].tolist(), seeds[left].tolist(), strict=True)

    def __len__(self) -> int:
        """Returns the number of pairs of this process."""
        if self.shuffle:
            return self.length // self.world_size
        return len(range(self.rank, self.length, self.world_size))
