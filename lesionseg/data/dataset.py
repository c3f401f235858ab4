"""The dataset: samples resized to the network's size, kept in memory, augmented as they are asked for."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NotRequired, TypedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from lesionseg.data.sample import Sample
from lesionseg.data.source import Cache
from lesionseg.errors import InputError, raise_all
from lesionseg.hardware import usable_cores

Array = NDArray[np.uint8]
Augment = Callable[[Array, Array, int], tuple[Array, Array]]
"""(image (H, W, 3), mask (H, W), seed) -> the two, changed together."""


class Batch(TypedDict):
    """What the data loader gives and the network takes."""

    image: Tensor
    """(B, 3, H, W) uint8 RGB 0..255, channels_last."""
    mask: Tensor
    """(B, 1, H, W) uint8 in {0, 1}."""
    id: list[str]
    full_size_mask: NotRequired[list[Tensor]]
    """Only for scoring: each ground truth at its own size, (1, H, W) uint8 in {0, 1}."""


class Item(TypedDict):
    """One image of a batch, channels last."""

    image: Array
    mask: Array
    id: str
    full_size_mask: NotRequired[Array]


class LesionDataset(Dataset[Item]):
    """Samples at (image_size, image_size), aspect ratio not kept.

    Args:
        samples: What to read.
        image_size: Height and width of the result in pixels.
        cache: `memory` reads all samples at the first use; `none` reads each whenever it is asked for.
        augment: Applied to each item with a seed of its own, or None.
        full_size_masks: Also give every ground truth at its own size, as scoring needs it.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        image_size: int,
        cache: Cache,
        augment: Augment | None,
        full_size_masks: bool,
    ) -> None:
        self.samples = samples
        self.image_size = image_size
        self.augment = augment
        self.full_size_masks = full_size_masks
        self._kept = read_all(samples, image_size) if cache == "memory" else None

    def __len__(self) -> int:
        """Counts the samples."""
        return len(self.samples)

    @property
    def is_costly(self) -> bool:
        """Whether an item takes reading or augmenting, so that worker processes pay."""
        return self._kept is None or self.augment is not None

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Returns the item for (index, seed); the seed fixes its augmentation whichever worker computes it."""
        index, seed = key
        sample = self.samples[index]
        image, mask = (
            (self._kept[0][index], self._kept[1][index]) if self._kept else read_resized(sample, self.image_size)
        )
        if self.augment is not None:
            image, mask = self.augment(image, mask, seed)
        item: Item = {"image": image, "mask": mask, "id": sample.id}
        if self.full_size_masks:
            item["full_size_mask"] = sample.mask()
        return item


def read_resized(sample: Sample, size: int) -> tuple[Array, Array]:
    """Reads a sample at (size, size): image (size, size, 3) and mask (size, size)."""
    image, mask = sample.read()
    return resize_image(image, size), resize_mask(mask, size)


def resize_image(image: Array, size: int) -> Array:
    """Resizes (H, W, 3) to (size, size, 3), averaging over areas when it shrinks so that hairs do not alias."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = image.shape[0] > size or image.shape[1] > size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def resize_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W) in {0, 1} to (size, size) in {0, 1}: lesion where at least half of the area is."""
    grey = mask * np.uint8(255)
    return (resize_image(grey, size) > 127).astype(np.uint8)


def read_all(samples: Sequence[Sample], size: int) -> tuple[Array, Array]:
    """Reads and resizes every sample, in parallel, with a progress bar.

    Returns:
        Images (N, size, size, 3) and masks (N, size, size), uint8.

    Raises:
        InputError: Lists every sample that cannot be used.
    """
    images = np.empty((len(samples), size, size, 3), np.uint8)
    masks = np.empty((len(samples), size, size), np.uint8)

    def read(index: int) -> str | None:
        try:
            images[index], masks[index] = read_resized(samples[index], size)
        except InputError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(usable_cores()) as threads:
        results = threads.map(read, range(len(samples)))
        bar = track(
            results,
            f"reading {len(samples)} images",
            total=len(samples),
            transient=True,
            disable=not sys.stdout.isatty(),
        )
        findings = list(bar)
    raise_all("These samples cannot be used; mend the files or take them out:", [text for text in findings if text])
    return images, masks


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
