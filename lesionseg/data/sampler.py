"""The sampler: which sample comes when, and with which seed, fixed by (seed, epoch) alone."""

import math
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class SeededSampler(Sampler[tuple[int, int]]):
    """Yields (index, augmentation seed) pairs.

    Every pair depends on the run's seed, the epoch and the place in it, not on who asks: batches are the same for
    any number of worker processes, no two workers augment alike, and a resumed run continues with the very pairs it
    would have had.

    With several processes (DDP) each gets its own pairs of the common order: in training all equally many, what is
    left over waiting for another epoch; in validation and tests every sample once, so that no result counts twice.

    Args:
        size: Number of samples.
        seed: The run's seed.
        shuffle: Whether each epoch has an order of its own: training.
        length: Pairs of an epoch in all processes; None for one pass. A longer epoch passes over the samples again and
            again, each time in another order, the last time perhaps over some of them.
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
        """Goes on in an epoch of which this process has seen so many pairs already; the length stays that of all."""
        self.epoch, self._seen = epoch, (epoch, seen)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls this before each one."""
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
        """Counts this process's samples."""
        if self.shuffle:
            return self.length // self.world_size
        return len(range(self.rank, self.length, self.world_size))
