"""`data.cache=memory`: each file is read once a run."""

from collections.abc import Sequence

import numpy as np

from lesionseg.data.cache import PixelCache, read_all
from lesionseg.data.sample import Resized, Sample


class MemoryCache(PixelCache):
    """Keeps pixels in this process; rows that are never prepared take no memory."""

    def __init__(self, samples: Sequence[Sample], size: int) -> None:
        super().__init__(samples, size)
        self._images = np.empty((len(samples), size, size, 3), np.uint8)
        self._masks = np.empty((len(samples), size, size), np.uint8)
        self._shares = np.full(len(samples), np.nan)  # nan: not read yet

    @property
    def is_quick(self) -> bool:
        """Always."""
        return True

    def prepare(self, rows: Sequence[int]) -> None:
        """Reads the rows that have not been read."""
        missing = [row for row in rows if np.isnan(self._shares[row])]
        read_all(self.samples, missing, self.size, self._keep)

    def __getitem__(self, row: int) -> Resized:
        """Returns a prepared row, or reads it."""
        if np.isnan(self._shares[row]):
            self._keep(row, self.samples[row].read_resized(self.size))
        image, mask = self._images[row], self._masks[row]
        image.flags.writeable = mask.flags.writeable = False  # of these views, not of the arrays
        return Resized(image, mask, float(self._shares[row]))

    def _keep(self, row: int, resized: Resized) -> None:
        self._images[row], self._masks[row], self._shares[row] = resized
