"""The photographs that an export is compared on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionseg.checkpoint.checkpoint import source_of
from lesionseg.data.file_types import is_readable, readable_text
from lesionseg.data.image_file import read_image
from lesionseg.data.split import own_samples
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError

DRAWN_SIZES = ((450, 600), (257, 131), (96, 96))
"""Height and width in pixels: like photographs, odd and small."""


class Photographs(NamedTuple):
    """Some photographs, and in words where they come from."""

    origin: str
    images: list[NDArray[np.uint8]]
    """Each (H, W, 3) RGB 0..255 at its own size."""


def photographs(folder: Path | None, checkpoint: Mapping[str, Any], count: int) -> Photographs:
    """Reads photographs from a folder, else from the checkpoint's validation part, else draws some.

    Args:
        folder: With images of any kind, searched without what is below it; None for the checkpoint's own.
        checkpoint: As `lesionseg.checkpoint.checkpoint.read` returns it.
        count: So many at most, in order of their names.

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


def _drawn(number: int) -> NDArray[np.uint8]:
    height, width = DRAWN_SIZES[number % len(DRAWN_SIZES)]
    square, _ = draw_dermoscopy(number, max(height, width))
    return np.ascontiguousarray(square[:height, :width])
