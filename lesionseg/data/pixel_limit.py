"""How many pixels an image file may have, before it is taken for a trap."""

import warnings
from pathlib import Path

from PIL import Image

from lesionseg.errors import InputError

LARGEST_PIXELS = 2 * 89_478_485
"""Pillow's own refusal: a file of a few kilobytes can declare more pixels than any memory holds. No camera comes near:
179 megapixels are half a gigabyte of RGB."""

# From half as many pixels on Pillow warns of what is allowed here. The one filter is set once, for good: setting and
# restoring it around each file is not safe while several threads read.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def refuse_too_large(path: Path, size: tuple[int, int]) -> None:
    """Raises an `InputError` where (width, height) is above the limit, whatever `Image.MAX_IMAGE_PIXELS` is set to."""
    width, height = size
    if width * height > LARGEST_PIXELS:
        raise too_large(path, f"{width} x {height} pixels")


def too_large(path: Path | str, found: str) -> InputError:
    """Words the error for a file whose header declares too much, without having decoded it."""
    limit = f"allowed: {LARGEST_PIXELS / 1e6:.0f} million pixels"
    return InputError(f"{path}: is too large ({found}); {limit}; save it smaller or take it out")
