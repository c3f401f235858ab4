"""Which way up: from how a file's pixels lie to upright, and back."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])
UPRIGHT = 1
"""The EXIF orientation of pixels that lie as the picture is seen."""
ON_ITS_SIDE = range(5, 9)
"""Orientations whose rows are the upright picture's columns."""
FLIPS = {2: 1, 3: -1, 4: 0, 6: 0, 7: -1, 8: 1}
"""What OpenCV's `flip` is to do after rows and columns have been exchanged: 0 upside down, 1 left to right, -1 both. It
is EXIF 2.32's table of orientations, read backwards."""


def as_stored(mask: Pixels, orientation: int) -> Pixels:
    """Turns an upright mask, or its probabilities, back to how its photograph's pixels lie in the file.

    Args:
        mask: (H, W) uint8 or float32, upright as `read_photograph` gives it.
        orientation: The photograph's EXIF orientation, 1..8.

    Returns:
        (H, W), or (W, H) where the photograph lies on its side (5..8); the mask itself where it lies upright (1).
    """
    stored = cv2.transpose(mask) if orientation in ON_ITS_SIDE else mask
    # OpenCV's types forget that it keeps the dtype.
    return cv2.flip(stored, FLIPS[orientation]) if orientation in FLIPS else stored  # type: ignore[return-value]


def stored_orientation(image: Image.Image) -> int:
    """Reads the EXIF orientation, 1..8, of an image that Pillow has opened but not loaded; 1 where none is valid.

    Pillow turns a TIFF while it loads, and forgets the tag.
    """
    orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return int(orientation) if orientation in range(1, 9) else UPRIGHT
