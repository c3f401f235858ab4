"""The sampler: which sample comes when, and with which seed, fixed by (seed, epoch) alone."""

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
        rank: Number of this process.
        world_size: Number of processes.
    """

    def __init__(self, size: int, *, seed: int, shuffle: bool, rank: int = 0, world_size: int = 1) -> None:
        self.size = size
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
        order = generator.permutation(self.size) if self.shuffle else np.arange(self.size)
        seeds = generator.integers(2**63, size=self.size)
        places = np.arange(self.rank, self.size, self.world_size)[: len(self)]
        left = places[self._seen[1] if self.epoch == self._seen[0] else 0 :]
        yield from zip(order[left].tolist(), seeds[left].tolist(), strict=True)

    def __len__(self) -> int:
        """Counts this process's samples."""
        if self.shuffle:
            return self.size // self.world_size
        return len(range(self.rank, self.size, self.world_size))
