"""Masks: read by one rule for ground truth and predictions, resized, written and drawn as outlines.

A mask file holds 0 and 1, or 0 and 255 (0 and 65535 in 16 bits), perhaps with grey levels up to 255 around its
outlines; the ISIC challenge counts levels above 128 as lesion. A file that is likely to mean something else is refused:
two levels that are both below 128, class numbers beside 255 ("ignore"), and fractions.
"""

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from lesionseg.data.colours import SIXTEEN_TO_EIGHT, WHITE, to_eight_bits
from lesionseg.data.image_file import UPRIGHT, named_faults, open_image, resize_image
from lesionseg.errors import InputError

Array = NDArray[np.uint8]
Colour = tuple[int, int, int]
LESION_ABOVE = 128  # a pixel of an 8-bit mask is lesion if it is above this level (rule of the ISIC challenge)
LARGEST_CLASS = 10
"""Levels up to this one, with none between them and the largest, are class numbers and not greys of an outline."""
ALLOWED = "allowed: masks of 0 and 1, or of 0 and 255"

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">IIBBBBB")
EIGHT_BIT_GREY = (8, 0, 0, 0, 0)
"""Bit depth, colour type, compression, filter method, interlacing (PNG specification, section 11.2.2)."""
UP = 2  # filter of a row that is written as the difference to the row above (PNG specification, section 9.2)
LEVEL = 2
"""Compression level: 1 makes the file of a mask six times as large in the same time, 6 saves little and takes 1.6 times
as long."""
EXIF = struct.Struct("<2sHIHHHIHHI")
"""A little-endian TIFF header and a directory of one entry (EXIF 2.32, section 4.6.2)."""
ORIENTATION_TAG, SHORT = 0x0112, 3

TRUTH: Colour = (0, 200, 83)
"""RGB green."""
PREDICTION: Colour = (255, 64, 200)
"""RGB pink. Neither colour occurs in skin and lesions, and colour-blind readers tell the two by lightness."""


def read_mask(path: Path) -> Array:
    """Reads a mask at its own size: (H, W) uint8, 1 for lesion, else 0; raises what `read_white_mask` does."""
    return _white(read_white_mask(path), above=0, value=1)


def read_white_mask(path: Path) -> Array:
    """Reads a mask of 1, 8 or 16 bits at its own size.

    Returns:
        (H, W) uint8, 255 for lesion, else 0: the form of most files, which can be averaged.

    Raises:
        InputError: The file cannot be read, or its levels are not those of a mask.
    """
    return white_mask(read_grey(path), str(path))


def read_grey(path: Path) -> Array:
    """Reads the grey levels of a mask file, (H, W) uint8, without judging them; 16 and 32 bits are brought to 8.

    Raises:
        InputError: The file cannot be read, has fractions or more than 16 bits, or its transparency contradicts it.
    """
    image = open_image(path)
    with named_faults(path):
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return _eight_bit_levels(np.asarray(image), str(path))
        if not image.has_transparency_data:
            return np.asarray(image if image.mode == "L" else image.convert("L"))
        rgba = image.convert("RGBA")
        grey = np.asarray(rgba.convert("L"))
        _check_transparency(grey, np.asarray(rgba.getchannel("A")), str(path))
        return grey


def white_mask(grey: Array, name: str) -> Array:
    """Thresholds the levels of a ground truth, (H, W): 255 for lesion, else 0.

    Raises:
        InputError: Its levels are not those of a mask.
    """
    if _is_black_and_white(grey):
        return grey
    levels = level_counts(grey)
    fault = class_fault(levels) or dark_fault(levels)
    if fault:
        raise InputError(f"{name}: {fault}; {ALLOWED}")
    return _white(grey, above=LESION_ABOVE if levels[2:].any() else 0)


def thresholded(grey: Array, name: str, *, above: int, setting: str) -> Array:
    """Thresholds levels, (H, W) uint8, at a value of the user's, 0 to 254: 1 for levels above it, else 0.

    A map of many greys may have nothing above the threshold; a mask of two levels may not. Errors call the file by
    `name` and the threshold by `setting`.

    Raises:
        InputError: No level, or the wrong ones, would count as lesion.
    """
    if not _is_black_and_white(grey):
        levels = level_counts(grey)
        largest = int(np.flatnonzero(levels).max())
        if above > 0 and (fault := class_fault(levels)):
            raise InputError(f"{name}: {fault}; {ALLOWED}, or set {setting}=0 if all of these are lesion")
        if 0 < largest <= above and _is_flat(levels, largest, above):
            raise InputError(
                f"{name}: holds 0 and {largest}, so nothing in it is above {above}; "
                f"if {largest} is lesion there, set {setting}=0"
            )
    return (grey > above).view(np.uint8)


def level_counts(grey: Array) -> NDArray[np.int64]:
    """Counts the pixels of each level: (256,)."""
    return cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.int64)


def class_fault(levels: NDArray[np.int64]) -> str | None:
    """Describes class numbers beside 255, which most readers take for lesion but such masks use for a border.

    Args:
        levels: (256,) counts from `level_counts`.
    """
    numbers = np.flatnonzero(levels[1 : LARGEST_CLASS + 1]) + 1
    if not levels[WHITE] or not len(numbers) or levels[LARGEST_CLASS + 1 : WHITE].any():
        return None
    return f"holds {', '.join(map(str, numbers))} and 255, which are class numbers and a label to ignore"


def dark_fault(levels: NDArray[np.int64]) -> str | None:
    """Describes a mask in which nothing is bright enough for a lesion, unless it holds 0 and 1."""
    largest = int(np.flatnonzero(levels).max())
    return f"the mask's largest value is {largest}" if 1 < largest <= LESION_ABOVE else None


def _eight_bit_levels(values: NDArray[np.generic], name: str) -> Array:
    """Brings a mask of 16 or 32 bits, integers or floats, to 8 bits.

    Raises:
        InputError: They have fractions, are negative, or are not the levels of a 16-bit mask.
    """
    if values.dtype.kind == "f" and (odd := values[np.rint(values) != values]).size:  # NaN among them
        raise InputError(
            f"{name}: the mask holds fractions such as {odd.flat[0]:.3g}; {ALLOWED}; threshold it yourself, for "
            "example at 0.5, and save it in 8 bits"
        )
    smallest, largest = values.min(initial=0), values.max(initial=0)
    if smallest < 0:
        raise InputError(f"{name}: the mask holds {smallest:.0f}; {ALLOWED}")
    if WHITE < largest <= LESION_ABOVE * SIXTEEN_TO_EIGHT or largest > WHITE * SIXTEEN_TO_EIGHT:
        raise InputError(f"{name}: the mask's largest value is {largest:.0f}; {ALLOWED} (0 and 65535 in 16 bits)")
    if largest > WHITE and 0 < (number := values[values < largest].max(initial=0)) <= LARGEST_CLASS:
        raise InputError(
            f"{name}: holds {number:.0f} and {largest:.0f}, a class number and a label to ignore; {ALLOWED}"
        )
    return to_eight_bits(values)


def _check_transparency(grey: Array, alpha: Array, name: str) -> None:
    """Refuses a mask whose transparency, (H, W) with 255 for opaque, contradicts its colours: both may draw it."""
    opaque = alpha > LESION_ABOVE
    lesion = grey > (LESION_ABOVE if grey.max() > 1 else 0)
    if not opaque.all() and not np.array_equal(opaque, lesion):
        raise InputError(
            f"{name}: the mask has transparent pixels ({1 - opaque.mean():.0%}) that its colours do not tell of; "
            "save it in black and white without transparency"
        )


def _is_black_and_white(grey: Array) -> bool:
    """Returns whether all pixels are 0 or 255, by sums, which are faster than comparing millions of pixels."""
    return bool(cv2.sumElems(grey)[0] == WHITE * cv2.countNonZero(grey))


def _is_flat(levels: NDArray[np.int64], largest: int, above: int) -> bool:
    """Tells a mask with one dark level, perhaps grey around its outline, from a map of probabilities."""
    if largest <= LARGEST_CLASS:
        return True
    return above == LESION_ABOVE and bool(2 * levels[largest] >= levels[1:].sum())


def resize_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W), 0 outside the lesion, to (size, size) in {0, 1}: 1 if at least half of the area is lesion."""
    return resize_white_mask(_white(mask, above=0), size)


def resize_white_mask(mask: Array, size: int) -> Array:
    """Resizes (H, W) in {0, 255} as `resize_mask` does."""
    return _white(resize_image(mask, size), above=127, value=1)


def _white(grey: Array, *, above: int, value: int = WHITE) -> Array:
    """Returns `value` for levels above a threshold, else 0."""
    return cv2.threshold(grey, above, value, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def encode_grey_png(grey: Array, *, orientation: int = UPRIGHT) -> bytes:
    """Encodes grey levels as an 8-bit PNG; several threads can do so at once.

    A 7-megapixel mask takes 1.5 ms and 11 kB, with OpenCV 12 ms and 14 kB.

    Args:
        grey: (H, W) uint8 0..255 of at least one pixel, as the pixels lie in the file.
        orientation: EXIF orientation, 1..8, by which readers turn the picture; none is written for 1.
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


def draw_contours(image: Array, target: Array, prediction: Array, *, thickness: int) -> Array:
    """Returns a copy of a (H, W, 3) RGB image with the outlines of ground truth (green) and prediction (pink)."""
    drawn = image.copy()
    for mask, colour in ((target, TRUTH), (prediction, PREDICTION)):
        draw_outline(drawn, mask, colour, thickness=thickness)
    return drawn


def draw_outline(image: Array, mask: Array, colour: Colour, *, thickness: int) -> None:
    """Draws the outline of a (H, W) mask, holes included, into a (H, W, 3) RGB image itself."""
    contours, _ = cv2.findContours(mask.astype(np.uint8, copy=False), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, contours, -1, colour, thickness, cv2.LINE_AA)
