"""The dataset: samples at the network's size, augmented on demand."""

from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lesionseg.data.cache import PixelCache

Array = NDArray[np.uint8]
Augment = Callable[[Array, Array, int], tuple[Array, Array]]
"""(image (H, W, 3), mask (H, W), seed) -> image and mask, changed together."""


class Batch(TypedDict):
    """Samples as the data loader returns them and the network takes them."""

    image: Tensor
    """(B, 3, H, W) uint8 RGB 0..255, channels_last."""
    mask: Tensor
    """(B, 1, H, W) uint8 in {0, 1}."""
    id: list[str]
    full_size_mask: NotRequired[list[Tensor]]
    """Each ground truth at its own size, (1, H, W) uint8 in {0, 1}; only for scoring."""


class Item(TypedDict):
    """One sample of a batch, channels last."""

    image: Array
    mask: Array
    id: str
    full_size_mask: NotRequired[Array]


class LesionDataset(Dataset[Item]):
    """Some rows of a cache as a PyTorch dataset.

    Args:
        cache: The pixels of all samples at the network's size.
        rows: Rows of the cache that belong to this dataset.
        augment: Changes each item by a seed of its own; None for no augmentation.
        full_size_masks: Whether items also have the ground truth at its own size, which scoring needs.
    """

    def __init__(
        self, cache: PixelCache, rows: Sequence[int], *, augment: Augment | None, full_size_masks: bool
    ) -> None:
        self.cache = cache
        self.rows = rows
        self.augment = augment
        self.full_size_masks = full_size_masks

    def __len__(self) -> int:
        """Returns the number of samples."""
        return len(self.rows)

    @property
    def is_costly(self) -> bool:
        """Whether items are read from files or augmented, so that worker processes pay."""
        return not self.cache.is_quick or self.augment is not None or self.full_size_masks

    def __getitem__(self, key: tuple[int, int]) -> Item:
        """Returns the item for (index, seed); the seed fixes its augmentation in any worker."""
        index, seed = key
        row = self.rows[index]
        sample = self.cache.samples[row]
        image, mask, _ = self.cache[row]
        if self.augment is not None:
            image, mask = self.augment(image, mask, seed)
        item: Item = {"image": image, "mask": mask, "id": sample.id}
        if self.full_size_masks:
            item["full_size_mask"] = sample.mask()
        return item


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
