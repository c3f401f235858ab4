"""Samples: images with their masks, which are read on demand."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import read_image, read_photograph
from lesionseg.data.mask_file import read_mask, read_white_mask
from lesionseg.data.resize import resize_image, resize_mask, resize_white_mask
from lesionseg.errors import InputError

Array = NDArray[np.uint8]


class Resized(NamedTuple):
    """A sample at the network's size."""

    image: Array
    """(size, size, 3) RGB 0..255."""
    mask: Array
    """(size, size) in {0, 1}."""
    lesion_share: float
    """Share of the ground truth's own pixels that is lesion, 0 to 1."""


@dataclass(frozen=True)
class Sample(ABC):
    """One image and its ground truth, known by an `id` that is unique within its source.

    Attributes:
        group: Name of the lesion or patient, whose samples are all in one subset; None for a group of its own.
    """

    id: str
    group: str | None = field(default=None, kw_only=True)

    @abstractmethod
    def image(self) -> Array:
        """Reads the image: (H, W, 3) uint8 RGB 0..255 at its own size."""

    @abstractmethod
    def mask(self) -> Array:
        """Reads the ground truth: (H, W) uint8 in {0, 1}, of the image's size."""

    def photograph(self, for_size: int) -> Array:
        """Reads the image for display at about `for_size` pixels: (h, w, 3) uint8 RGB, perhaps at a reduced scale."""
        return self.image()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it is read from; none if it is computed."""
        return ()

    def read(self) -> tuple[Array, Array]:
        """Reads image (H, W, 3) and mask (H, W) together.

        Raises:
            InputError: A file cannot be read, or the two differ in size.
        """
        image, mask = self.image(), self.mask()
        self._check_shapes(image.shape[:2], mask.shape)
        return image, mask

    def read_resized(self, size: int) -> Resized:
        """Reads both at (size, size), without keeping the aspect ratio.

        Raises:
            InputError: See `read`.
        """
        image, mask = self.read()
        return Resized(resize_image(image, size), resize_mask(mask, size), float(mask.mean()))

    def _check_shapes(self, image: tuple[int, ...], mask: tuple[int, ...]) -> None:
        if image != mask:
            raise InputError(
                f"{self.id}: the image is {image[1]} x {image[0]} pixels but its mask is {mask[1]} x {mask[0]}; "
                "export the mask again at the image's size"
            )


@dataclass(frozen=True)
class FilePair(Sample):
    """A sample in two files."""

    image_path: Path
    mask_path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """Image and mask."""
        return self.image_path, self.mask_path

    def image(self) -> Array:
        """Reads the image file; see `read_image`."""
        return read_image(self.image_path)

    def photograph(self, for_size: int) -> Array:
        """Reads the image file, a large JPEG at a reduced scale; see `read_photograph`."""
        return read_photograph(self.image_path, for_size=for_size).pixels

    def mask(self) -> Array:
        """Reads the mask file; see `read_mask`."""
        return read_mask(self.mask_path)

    def read_resized(self, size: int) -> Resized:
        """Reads both at (size, size); large JPEGs are decoded at a reduced scale, see `read_photograph`."""
        photograph, mask = read_photograph(self.image_path, for_size=size), read_white_mask(self.mask_path)
        self._check_shapes(photograph.shape, mask.shape)
        share = cv2.countNonZero(mask) / mask.size
        return Resized(resize_image(photograph.pixels, size), resize_white_mask(mask, size), share)
