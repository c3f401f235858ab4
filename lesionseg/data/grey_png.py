"""A short cut for the commonest mask file: an 8-bit greyscale PNG, read four times as fast as by general readers.

Masks are millions of pixels of two values, so nearly all of their reading is inflating; zlib-ng does that several times
as fast as the zlib inside Pillow and OpenCV. Whatever is not of this plainest kind, or is damaged, is left to Pillow.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zlib_ng import zlib_ng

Array = NDArray[np.uint8]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")
PLAIN = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"tIME"}
"""Chunks that say nothing about how the pixels lie."""
NONE, LEFT, UP, PAETH = 0, 1, 2, 4
"""Filters of a row."""
MOST_CHANGES = 1 << 17
"""Bytes other than 0 after filtering, from which Pillow is quicker: this is no mask but a picture."""
EIGHT_BIT_GREY = (8, 0, 0, 0, 0)
"""Bit depth, colour type, compression, filter method, interlacing (PNG specification, section 11.2.2)."""


def read_grey_png(path: Path) -> Array | None:
    """Reads (H, W) uint8 grey levels, or None when the file is anything but an intact PNG of the plainest kind.

    That kind has 8 bits of grey, no interlacing, and nothing beside the pixels that might turn them (EXIF, text).
    """
    if path.suffix.lower() != ".png":
        return None
    try:
        content = path.read_bytes()
        if not content.startswith(SIGNATURE):
            return None
        return _decode(list(_chunks(content)))
    except (OSError, ValueError, IndexError, struct.error, zlib_ng.error):  # type: ignore[misc]  # missing from zlib-ng's own types
        return None


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Splits a PNG into (type, data); a wrong checksum is a ValueError."""
    position = len(SIGNATURE)
    while position < len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", content, end)
        if zlib_ng.crc32(content[position + 4 : end]) != checksum:
            raise ValueError("damaged")
        yield content[position + 4 : position + 8], content[position + 8 : end]
        position = end + 4


def _decode(chunks: list[tuple[bytes, bytes]]) -> Array | None:
    width, height, *kind = HEADER.unpack(chunks[0][1])
    bytes_expected = height * (width + 1)  # each row is preceded by the number of its filter
    too_large = Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS
    if (
        tuple(kind) != EIGHT_BIT_GREY
        or too_large
        or width * height == 0
        or chunks[-1][0] != b"IEND"
        or not {t for t, _ in chunks} <= PLAIN
    ):
        return None
    compressed = b"".join(data for type_, data in chunks if type_ == b"IDAT")
    inflater = zlib_ng.decompressobj()
    content = inflater.decompress(compressed, bytes_expected + 1)  # one more, to notice more
    if len(content) != bytes_expected or not inflater.eof:
        return None
    return _unfiltered(np.frombuffer(content, np.uint8).reshape(height, width + 1))


def _unfiltered(rows: Array) -> Array | None:
    """Undoes the filters (PNG specification, section 9); masks have few rows with any, and few changes in these.

    Args:
        rows: (H, 1 + W): the number of each row's filter, then its bytes.

    Returns:
        (H, W), or None where a filter averages (which no mask's writer has been seen to choose) or much changes.
    """
    filters, pixels = rows[:, 0], rows[:, 1:]
    if not filters.any():
        return pixels
    if not np.isin(filters, (NONE, LEFT, UP, PAETH)).all() or np.count_nonzero(pixels) > MOST_CHANGES:
        return None
    pixels = pixels.copy()
    nothing = np.zeros_like(pixels[0])
    for row in np.flatnonzero(filters).tolist():
        above = pixels[row - 1] if row else nothing
        if filters[row] == LEFT:
            pixels[row] = np.cumsum(pixels[row], dtype=np.uint8)
        elif filters[row] == UP:
            pixels[row] += above
        else:
            pixels[row] = _paeth(pixels[row], above)
    return pixels


def _paeth(differences: Array, above: Array) -> Array:
    """Undoes Paeth's filter in one row.

    Where the left neighbour equals the one above it, the prediction is the pixel above: with no difference the row goes
    on as the one above does, so only the pixels from a difference until that holds again are worked out one by one.
    """
    row, given, upper = above.copy(), differences.tolist(), above.tolist()
    position = 0
    for start in np.flatnonzero(differences).tolist():
        if start < position:
            continue
        position = start
        left = corner = upper[start - 1] if start else 0
        while position < len(given) and (given[position] or left != corner):
            left = (given[position] + _prediction(left, upper[position], corner)) % 256
            corner = upper[position]
            row[position] = left
            position += 1
    return row


def _prediction(left: int, above: int, corner: int) -> int:
    """Chooses the neighbour next to left + above - corner; in doubt left, then above."""
    distances = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
    nearest = min(distances)
    return left if distances[0] == nearest else above if distances[1] == nearest else corner
