"""Compares an exported file with its checkpoint on real photographs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionseg.checkpoint.rebuild import source_of
from lesionseg.data.image_file import read_image, resize_image
from lesionseg.data.names import is_readable, readable_text
from lesionseg.data.source import Sample
from lesionseg.data.split import own_samples
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError
from lesionseg.exporting.deployed import Deployed, predicted
from lesionseg.exporting.opening import ExportedEngine
from lesionseg.metrics.dice import Dice
from lesionseg.postprocessing.run_length import RunLengthMask

DRAWN_SIZES = ((450, 600), (257, 131), (96, 96))
"""Heights and widths in pixels of drawn images: like photographs, odd and small."""

Array = NDArray[np.uint8]


class Difference(NamedTuple):
    """Difference between two models on the same images."""

    probability: float
    """Largest difference of a pixel's probability, 0 to 1."""
    mask: float
    """Share of the pixels whose mask differs, 0 to 1."""


def difference(engine: ExportedEngine, deployed: Deployed, batches: Sequence[Array]) -> Difference:
    """Compares a file with the model it was made from, in float32 on the CPU, on batches (B, H, W, 3) uint8 RGB."""
    largest, differing, pixels = 0.0, 0, 0
    for batch in batches:
        (probability, mask), (expected, expected_mask) = engine.run(batch), predicted(deployed, batch)
        # A NaN is the largest difference of all: np.max keeps it, as Python's max would not.
        largest = float(np.max([largest, float(np.abs(probability - expected).max())]))
        differing += int(np.count_nonzero(mask != expected_mask))
        pixels += mask.size
    return Difference(largest, differing / pixels)


def mean_dice(engine: ExportedEngine, samples: Sequence[Sample]) -> float:
    """Returns the mean Dice of the samples, each scored at its ground truth's own size, 0 to 1."""
    return float(np.mean([_dice(engine, sample) for sample in samples]))


def _dice(engine: ExportedEngine, sample: Sample) -> float:
    image, target = sample.read_resized(engine.facts.image_size).image, sample.mask()
    mask = engine.facts.postprocessing.mask(engine.probability(image[None])[0], target.shape)
    return float(Dice().score(mask.counts(RunLengthMask.of(target))))


def at_own_size(images: Sequence[Array]) -> Iterator[Array]:
    """Makes a batch of each image, (1, H, W, 3)."""
    return (image[None] for image in images)


def at_network_size(images: Sequence[Array], image_size: int) -> Array:
    """Makes one batch of all images, resized as in training: (B, image_size, image_size, 3)."""
    return np.stack([resize_image(image, image_size) for image in images])


class Photographs(NamedTuple):
    """Photographs to compare on."""

    origin: str
    """Origin in words."""
    images: list[Array]
    """Images (H, W, 3) RGB 0..255 at their own sizes."""


def photographs(folder: Path | None, checkpoint: Mapping[str, Any], count: int) -> Photographs:
    """Reads up to `count` photographs from a folder, else from the checkpoint's validation subset, else draws some.

    Raises:
        InputError: There are no images in the folder, or one cannot be read.
    """
    if folder is not None:
        return _of_folder(folder, count)
    try:
        samples = own_samples(source_of(checkpoint), "validation", checkpoint["lesionseg"]["split"])[:count]
        images = [sample.image() for sample in samples]
    except InputError:
        images = []  # the data need not be at hand for an export
    if images:
        return Photographs(f"{len(images)} validation images of the checkpoint's own data", images)
    drawn = [_drawn(number) for number in range(count)]
    return Photographs(f"{count} drawn images, as the checkpoint's data are not at hand (give images=FOLDER)", drawn)


def _of_folder(folder: Path, count: int) -> Photographs:
    if not folder.is_dir():
        raise InputError(f"images={folder}: there is no folder {folder.absolute()}")
    files = sorted(path for path in folder.iterdir() if is_readable(path))[:count]
    if not files:
        raise InputError(f"images={folder}: has no images; allowed: {readable_text()}")
    return Photographs(f"{len(files)} images of {folder}", [read_image(path) for path in files])


def _drawn(number: int) -> Array:
    height, width = DRAWN_SIZES[number % len(DRAWN_SIZES)]
    square, _ = draw_dermoscopy(number, max(height, width))
    return np.ascontiguousarray(square[:height, :width])
