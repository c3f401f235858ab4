"""Reading images and masks from files: any common format in, plain 8-bit arrays out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lesionseg.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
LESION_ABOVE = 128
"""The ISIC challenge's rule: a pixel of an 8-bit mask is lesion where it is above this."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a photograph at its own size, upright as its EXIF orientation says.

    Returns:
        (H, W, 3) uint8 RGB 0..255; greyscale is repeated, transparency dropped.

    Raises:
        InputError: The file cannot be read, is cut short, or is greyscale of more than 8 bits.
    """
    image = _open(path)
    if image.mode.startswith(("I", "F")):  # Pillow would cut such values off at 255: a white picture
        raise InputError(f"{path}: has more than 8 bits a pixel (Pillow's mode {image.mode}); convert it to 8 bits")
    return np.asarray(image.convert("RGB"))


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask at its own size, from 1-bit, 0/1 or 0/255 files.

    Returns:
        (H, W) uint8, 1 where the lesion is, else 0.

    Raises:
        InputError: The file cannot be read, or its largest value is neither 0, 1 nor above 128.
    """
    grey = np.asarray(_open(path).convert("L"))
    largest = int(grey.max())
    if 1 < largest <= LESION_ABOVE:
        raise InputError(f"{path}: the mask's largest value is {largest}; allowed: masks of 0 and 1, or of 0 and 255")
    return (grey > (0 if largest == 1 else LESION_ABOVE)).astype(np.uint8)


def _open(path: Path) -> Image.Image:
    """Decodes the whole file now, so that a damaged one is found here and not later."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as an image ({error}); replace the file or take it out") from error
