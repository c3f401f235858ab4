"""The sampler: which sample comes when, and with which seed, fixed by (seed, epoch) alone."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class SeededSampler(Sampler[tuple[int, int]]):
    """Yields (index, augmentation seed) pairs.

    Every pair depends on the run's seed, the epoch and the place in it, not on who asks: batches are the same for
    any number of worker processes, and a resumed run continues with the very pairs it would have had.

    Args:
        size: Number of samples.
        seed: The run's seed.
        shuffle: Whether each epoch has an order of its own.
    """

    def __init__(self, size: int, *, seed: int, shuffle: bool) -> None:
        self.size = size
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls this before each one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yields the epoch's pairs."""
        generator = np.random.default_rng([self.seed, self.epoch])
        order = generator.permutation(self.size) if self.shuffle else np.arange(self.size)
        seeds = generator.integers(2**63, size=self.size)
        yield from zip(order.tolist(), seeds.tolist(), strict=True)

    def __len__(self) -> int:
        """Counts the samples."""
        return self.size
