"""Synthetic dermoscopy: images the project draws itself, so that everything runs before any download."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.sample import Sample
from lesionseg.data.source import PARTS, Listing, Part, Source
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError
from lesionseg.ranges import LARGEST_SEED

MOST = 100_000
"""Images of a part: a checkpoint's own source is listed when it is scored, and a file may ask for any number."""
SMALLEST, LARGEST = 32, 4096
"""Sides in pixels."""


@dataclass(frozen=True)
class SyntheticSample(Sample):
    """A drawn image, fixed by its seed."""

    seed: int
    size: int

    def image(self) -> NDArray[np.uint8]:
        """Draws the image; see `draw_dermoscopy`."""
        return draw_dermoscopy(self.seed, self.size)[0]

    def mask(self) -> NDArray[np.uint8]:
        """Draws the mask; see `draw_dermoscopy`."""
        return draw_dermoscopy(self.seed, self.size)[1]

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Draws both at once."""
        return draw_dermoscopy(self.seed, self.size)


@dataclass(frozen=True, kw_only=True)
class Synthetic(Source):
    """Drawn dermoscopic images with exact masks.

    A stand-in for real data in tests, demonstrations and first runs: results on it say nothing about patients.
    Licence: the project's own. Parts never share an image: each sample's seed is derived from its part and number.

    Attributes:
        seed: Another seed gives other images.
        size: Height and width in pixels.
        train: Number of training images.
        validation: Number of validation images.
        test: Number of test images; 0 for none.
    """

    seed: int
    size: int
    train: int
    validation: int
    test: int

    def __post_init__(self) -> None:
        """Checks the numbers."""
        super().__post_init__()
        counts = {"train": self.train, "validation": self.validation, "test": self.test}
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
        """Lists the parts' samples, `train_0000` and so on."""
        counts: dict[Part, int] = {"train": self.train, "validation": self.validation, "test": self.test}
        parts = {part: [self._sample(part, number) for number in range(count)] for part, count in counts.items()}
        return Listing(parts, official=True)

    def _sample(self, part: Part, number: int) -> SyntheticSample:
        seed = np.random.SeedSequence([self.seed, PARTS.index(part), number]).generate_state(1)[0]
        return SyntheticSample(f"{part}_{number:04d}", int(seed), self.size)
