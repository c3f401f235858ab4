"""Whether an exported file computes what the checkpoint does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lesionseg.data.resize import resize_image
from lesionseg.exporting.deployed import Deployed
from lesionseg.exporting.exported_opening import ExportedEngine

Array = NDArray[np.uint8]


@dataclass(frozen=True)
class Difference:
    """Between two models on the same images."""

    probability: float
    """The largest difference of any pixel's probability, 0 to 1."""
    mask: float
    """Share of the pixels whose decision differs, 0 to 1."""


def difference(engine: ExportedEngine, deployed: Deployed, batches: Sequence[Array]) -> Difference:
    """Compares a file with the model it was made from, in float32 on the CPU.

    Args:
        engine: Of the file.
        deployed: The model.
        batches: Each (B, H, W, 3) uint8 RGB, of any sizes.
    """
    largest, differing, pixels = 0.0, 0, 0
    for batch in batches:
        (probability, mask), (expected, expected_mask) = engine.run(batch), _expected(deployed, batch)
        # A NaN is the largest difference of all: np.max keeps it, as Python's max would not.
        largest = float(np.max([largest, float(np.abs(probability - expected).max())]))
        differing += int(np.count_nonzero(mask != expected_mask))
        pixels += mask.size
    return Difference(largest, differing / pixels)


def at_own_size(images: Sequence[Array]) -> Iterator[Array]:
    """Makes a batch of each image, (1, H, W, 3)."""
    return (image[None] for image in images)


def at_network_size(images: Sequence[Array], image_size: int) -> Array:
    """Makes one batch of all images, resized as in training: (B, image_size, image_size, 3)."""
    return np.stack([resize_image(image, image_size) for image in images])


def _expected(deployed: Deployed, batch: Array) -> Any:
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        return tuple(result.numpy() for result in deployed(torch.from_numpy(np.require(batch, requirements="W"))))
