"""Synthetic dermoscopy: drawn images, with which everything runs before any download."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.config.value_checks import LARGEST_SEED
from lesionseg.data.source import SUBSETS, Listing, Sample, Source, Subset
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError

MOST = 100_000
"""Images of a subset. A checkpoint's own source is listed when it is scored, and its file may ask for any number."""
SMALLEST, LARGEST = 32, 4096  # sides in pixels


@dataclass(frozen=True)
class SyntheticSample(Sample):
    """A drawn image, determined by its seed."""

    seed: int
    size: int

    def image(self) -> NDArray[np.uint8]:
        """Draws the image; see `draw_dermoscopy`."""
        return self.read()[0]

    def mask(self) -> NDArray[np.uint8]:
        """Draws the mask; see `draw_dermoscopy`."""
        return self.read()[1]

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draws both at once."""
        return draw_dermoscopy(self.seed, self.size)


@dataclass(frozen=True, kw_only=True)
class Synthetic(Source):
    """Drawn dermoscopic images with exact masks.

    They stand in for real data in tests, demonstrations and first runs; results on them say nothing about patients.
    No image is in two subsets: the seed of each is derived from its subset and number. Licence: the project's.

    Attributes:
        size: Height and width in pixels.
        train, validation, test: Number of images in each subset; 0 test images for none.
    """

    seed: int
    size: int
    train: int
    validation: int
    test: int

    def __post_init__(self) -> None:
        """Checks the numbers."""
        super().__post_init__()
        counts = self._counts()
        too_few = self.train < 1 or self.validation < 1 or self.test < 0
        if too_few or max(counts.values()) > MOST or not SMALLEST <= self.size <= LARGEST:
            raise InputError(
                f"data has {counts} images of size {self.size}; allowed: at least 1 to train and to validate on, "
                f"at most {MOST:,} of each, a size of {SMALLEST} to {LARGEST}"
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(f"data.seed is {self.seed}; allowed: 0 to {LARGEST_SEED}")
        if self.cache == "disk":
            raise InputError(
                "data.cache is disk, but drawn images have no files to know them by; allowed: memory, none"
            )

    def listing(self) -> Listing:
        """Lists the samples of each subset, `train_0000` and so on."""
        counts = self._counts().items()
        return Listing(
            {subset: [self._sample(subset, n) for n in range(count)] for subset, count in counts}, official=True
        )

    def _counts(self) -> dict[Subset, int]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def _sample(self, subset: Subset, number: int) -> SyntheticSample:
        seed = np.random.SeedSequence([self.seed, SUBSETS.index(subset), number]).generate_state(1)[0]
        return SyntheticSample(f"{subset}_{number:04d}", int(seed), self.size)


def trains_on_drawn_images(node: Any) -> bool:
    """Tells whether a configured source trains on drawn images alone, also if it combines several sources.

    Args:
        node: Configuration of a source as plain values, of any form in a stranger's checkpoint.
    """
    combined = node.get("train") if isinstance(node, Mapping) else None
    sources = list(combined.values()) if isinstance(combined, Mapping) else [node]
    used = [source for source in sources if source is not None]
    target = f"{Synthetic.__module__}.{Synthetic.__qualname__}"
    return bool(used) and all(isinstance(source, Mapping) and source.get("_target_") == target for source in used)
