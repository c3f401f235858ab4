"""Writes masks as 8-bit grey PNGs, eight times as fast as OpenCV and smaller."""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from lesionseg.data.image_file import UPRIGHT

Array = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")
EIGHT_BIT_GREY = (8, 0, 0, 0, 0)
"""Bit depth, colour type, compression, filter method, interlacing (PNG specification, section 11.2.2)."""
UP = 2
"""Filter of a row that is written as the difference to the row above (PNG specification, section 9.2)."""
LEVEL = 2
"""Compression level: 1 makes the file of a mask six times as large in the same time, 6 saves little and takes 1.6 times
as long."""
EXIF = struct.Struct("<2sHIHHHIHHI")
"""A little-endian TIFF header and a directory of one entry (EXIF 2.32, section 4.6.2)."""
ORIENTATION_TAG, SHORT = 0x0112, 3


def encode_grey_png(grey: Array, *, orientation: int = UPRIGHT) -> bytes:
    """Encodes grey levels as an 8-bit PNG; several threads can do so at once.

    Args:
        grey: (H, W) uint8 0..255 of at least one pixel, as the pixels lie in the file.
        orientation: EXIF orientation, 1..8, by which readers turn the picture; none is written for 1.

    Returns:
        The contents of the file. A 7-megapixel mask takes 1.5 ms and 11 kB, with OpenCV 12 ms and 14 kB.
    """
    height, width = grey.shape
    exif = EXIF.pack(b"II", 42, 8, 1, ORIENTATION_TAG, SHORT, 1, orientation, 0, 0)
    return b"".join(
        [
            SIGNATURE,
            _chunk(b"IHDR", HEADER.pack(width, height, *EIGHT_BIT_GREY)),
            b"" if orientation == UPRIGHT else _chunk(b"eXIf", exif),
            _chunk(b"IDAT", zlib_ng.compress(_filtered(grey), LEVEL)),
            _chunk(b"IEND", b""),
        ]
    )


def _filtered(grey: Array) -> Array:
    """Puts the filter of each row before it: (H, 1 + W).

    Unfiltered rows are the fastest and smallest for masks; differences to the row above make the files of lesion
    probabilities and photographs a fifth smaller.
    """
    rows = np.zeros((grey.shape[0], grey.shape[1] + 1), np.uint8)
    rows[:, 1:] = grey
    # Sums tell whether each pixel is 0 or the largest level, faster than comparing each pixel would.
    if cv2.sumElems(grey)[0] != cv2.countNonZero(grey) * int(grey.max()):
        rows[:, 0] = UP
        rows[1:, 1:] -= grey[:-1]
    return rows


def _chunk(kind: bytes, data: bytes) -> bytes:
    """Wraps the data of a chunk in its length, kind and checksum (PNG specification, section 5.3)."""
    checksum = zlib_ng.crc32(data, zlib_ng.crc32(kind))
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)])
