"""Ground truths that stay in memory while many decisions are tried on them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lesionseg.metrics.image_scores import Counts
from lesionseg.postprocessing.run_length import Integers, Runs, runs_of


@dataclass(frozen=True)
class Truth:
    """A ground truth at its own size, as its runs: some kilobytes where the pixels take megabytes.

    Attributes:
        shape: (H, W) in pixels.
        starts: (runs + 1,) positions row * W + column, rising; in front a run without pixels at 0.
        before: (runs + 1,) lesion pixels in front of each start.
        lengths: (runs + 1,) pixels of each run.
    """

    shape: tuple[int, int]
    starts: Integers
    before: Integers
    lengths: Integers

    @classmethod
    def of(cls, mask: NDArray[np.uint8]) -> Self:
        """Takes in a mask: (H, W) uint8 in {0, 1}."""
        runs = runs_of(mask.view(np.bool_))
        starts, stops = runs.flat()
        lengths = np.concatenate([[0], stops - starts])
        return cls(runs.shape, np.concatenate([[0], starts]), np.cumsum(lengths) - lengths, lengths)

    def counts(self, prediction: Runs) -> Counts:
        """Counts the pixels of a prediction of the same shape."""
        starts, stops = prediction.flat()
        both = int((self._lesion_before(stops) - self._lesion_before(starts)).sum())
        predicted, lesion = prediction.area, int(self.lengths.sum())
        height, width = self.shape
        return Counts(both, predicted - both, lesion - both, height * width - predicted - lesion + both)

    def _lesion_before(self, positions: Integers) -> Integers:
        """Counts the lesion pixels in front of each position."""
        run = np.searchsorted(self.starts, positions, side="right") - 1
        counted: Integers = self.before[run] + np.minimum(positions - self.starts[run], self.lengths[run])
        return counted
