"""Order and augmentation seeds of samples, determined by the run's seed and the epoch."""

import math
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


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
