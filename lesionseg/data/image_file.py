"""Reads image files of any common format as upright 8-bit sRGB arrays, and resizes them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from lesionseg.data.colours import rgb_of
from lesionseg.data.names import FORMATS, contents_text
from lesionseg.errors import InputError

LARGEST_PIXELS = 2 * 89_478_485
"""Pillow's own limit: a file of a few kilobytes can declare more pixels than any memory holds. No camera comes near:
179 megapixels are half a gigabyte of RGB."""
BYTES_A_PIXEL = 14
"""Memory for reading a pixel: Pillow's 4 of RGB, 4 more of CMYK or while turning, 3 of the array, 3 for copying it."""
COEFFICIENT_BYTES = 6
"""Memory for a pixel of a progressive JPEG: 16 bits for each of three channels, less with subsampled colour."""
SHORTFALL = 0.9
"""A JPEG may be decoded at a scale that gives this share of the requested side: 252 rows enlarged to 256 differ from
256 rows by 0.7 grey levels on average, and the next scale has four times as many pixels."""
SIGNATURE_BYTES = 132
BITMAP, BITS_IN_BITMAP, WHOLE_BYTE = b"BM", slice(28, 30), 8
"""The signature of a BMP file, the position of its bits per pixel, and a whole byte of them."""
SIXTEEN_BITS_EACH = ";16"  # part of Pillow's names of raw pixels with 16 bits a channel, for example `RGB;16B`
UPRIGHT = 1  # EXIF orientation of pixels that lie as the picture is seen
ON_ITS_SIDE = range(5, 9)  # EXIF orientations whose rows are the columns of the upright picture
FLIPS = {2: 1, 3: -1, 4: 0, 6: 0, 7: -1, 8: 1}
"""The argument of OpenCV's `flip` that follows the exchange of rows and columns: 0 upside down, 1 left to right, -1
both. This is EXIF 2.32's table of orientations, read backwards."""

Array = NDArray[np.uint8]
Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])

# Pillow warns from half of the limit on. The filter is set once for all: setting and restoring it around each file is
# not safe while several threads read.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class Photograph(NamedTuple):
    """An image as read, perhaps at a reduced scale."""

    pixels: Array  # (h, w, 3) RGB 0..255
    shape: tuple[int, int]  # (H, W) of the file itself, upright
    orientation: int  # EXIF orientation of the file, 1..8, which has been undone in `pixels`


def read_image(path: Path) -> Array:
    """Reads an image at its own size: (H, W, 3) uint8 RGB 0..255; see `read_photograph`."""
    return read_photograph(path).pixels


def read_photograph(path: Path, *, for_size: int | None = None) -> Photograph:
    """Reads an image, upright by its EXIF orientation and in sRGB (see `rgb_of`); of several in a file, the first one.

    Args:
        path: A file with any of `READABLE_SUFFIXES`, whatever its contents are.
        for_size: The result will be resized to (for_size, for_size). A JPEG of several times that size is decoded at
            1/2, 1/4 or 1/8 of its own, which libjpeg does in the frequency domain for a fraction of the time.

    Raises:
        InputError: The file cannot be read, is cut short, has 32 bits a channel or more than `LARGEST_PIXELS`.
    """
    image = open_image(path, for_size=for_size)
    width, height = image.info["file_size"]
    with named_faults(path):
        return Photograph(rgb_of(image, str(path)), (height, width), image.info["orientation"])


def photograph_of(image: Image.Image) -> Photograph:
    """Converts Pillow's image as `read_photograph` does, without changing its pixels.

    Raises:
        InputError: Its file cannot be read, or it has 32 bits a channel.
    """
    with named_faults("the image"):
        image.load()  # turns a TIFF for good
        orientation = exif_orientation(image)
        upright = ImageOps.exif_transpose(image)
        return Photograph(rgb_of(upright, "the image"), upright.size[::-1], orientation)


def open_image(path: Path, *, for_size: int | None = None) -> Image.Image:
    """Decodes the whole file at once, so that damage shows here and not later.

    Returns:
        Pillow's image, upright; `info["file_size"]` is the upright (W, H) of the file, and `info["orientation"]` its
        EXIF orientation.

    Raises:
        InputError: The file cannot be read, or has 16 bits a channel and uses only the lower 8 of them.
    """
    with opened_image(path) as image:
        is_halved = _is_halved(image)
        file_size = image.size
        _reduce(image, for_size)
        decoded_size = image.size
        orientation = exif_orientation(image)
        if image.format in ("BMP", "DIB") and image.mode == "1":
            image = _one_bit(path, image)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    if 0 in image.size:
        raise InputError(f"{path}: has no pixels; replace the file or take it out")
    if is_halved and _is_black(image):
        raise InputError(
            f"{path}: has 16 bits a channel, where white is 65535, and no colour is above 255; save it with 8 bits"
        )
    image.info["file_size"] = file_size[::-1] if image.size != decoded_size else file_size
    image.info["orientation"] = orientation
    return image


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """Opens a file without decoding it; any error inside the block is reported as a fault of the file.

    Raises:
        InputError: The file is no image, is damaged, or has more pixels than `LARGEST_PIXELS`.
    """
    # Given the path itself, Pillow 13 maps a plain TIFF into memory, and garbles one that lies on its side.
    with named_faults(path), path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        if width * height > LARGEST_PIXELS:  # another library may have changed Pillow's own limit
            raise _too_large(path, f"{width} x {height} pixels")
        yield image


@contextmanager
def named_faults(name: str | Path) -> Iterator[None]:
    """Turns any error of decoding or converting an image into an `InputError` that names the image."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name, str(error)) from error
    except Exception as error:  # Pillow's parsers raise errors of any type for damaged files
        reason, advice = str(error) or type(error).__name__, "replace the file or take it out"
        if isinstance(error, UnidentifiedImageError) and isinstance(name, Path):
            with name.open("rb") as file:
                reason, advice = "of no kind that is read", contents_text(file.read(SIGNATURE_BYTES)) or advice
        raise InputError(f"{name}: cannot be read as an image ({reason}); {advice}") from error


def decoded_bytes(path: Path, for_size: int | None = None) -> int:
    """Estimates from a file's header the memory that `read_photograph` takes, rather too much than too little.

    A WebP or JPEG 2000 file under another name takes up to half as much again. Raises what `opened_image` does.
    """
    with opened_image(path) as image:
        width, height = image.size
        # libjpeg keeps the coefficients of all pixels of a progressive JPEG, at any scale.
        coefficients = width * height * COEFFICIENT_BYTES if "progressive" in image.info else 0
        _reduce(image, for_size)
        return image.width * image.height * BYTES_A_PIXEL + coefficients


def exif_orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1..8, of an image that Pillow has opened but not loaded; 1 if none is valid.

    Pillow turns a TIFF while it loads the pixels, and forgets the tag.
    """
    orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return int(orientation) if orientation in range(1, 9) else UPRIGHT


def as_stored(mask: Pixels, orientation: int) -> Pixels:
    """Turns an upright (H, W) mask, or its probabilities, back to how the pixels of its photograph lie in the file.

    Returns:
        (H, W), or (W, H) if the photograph lies on its side (orientations 5..8).
    """
    stored = cv2.transpose(mask) if orientation in ON_ITS_SIDE else mask
    # OpenCV's types forget that it keeps the dtype.
    return cv2.flip(stored, FLIPS[orientation]) if orientation in FLIPS else stored  # type: ignore[return-value]


def file_stamp(path: Path) -> tuple[int, int, int]:
    """Returns the size (bytes), modification time and change time (both ns) of a file, to tell its versions apart.

    A program that replaces a file can keep its size and modification time (`cp -p`, `rsync -t`, an unpacked archive),
    but the system itself sets the change time. Another owner or other permissions also count as a change. The inode
    would add nothing, and differs between mounts of some network file systems. On Windows the last number is the time
    of creation, which a copy over the file keeps.

    Raises:
        OSError: The file is missing or its folder may not be read.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def resize_image(image: Array, size: int) -> Array:
    """Resizes (H, W, 3) or (H, W) to (size, size).

    A longer side shrinks first, by averaging over areas, so that hairs do not alias; then a shorter side is enlarged.
    OpenCV cannot do both at once: if one side grows, it averages over no area.
    """
    # Bilinear halving averages 2 x 2 pixels in a tenth of the time of averaging over other areas. Where a side is odd,
    # it does not shift the picture, as leaving out a row would.
    while min(image.shape[:2]) >= 3 * size:
        image = _resized(image, image.shape[1] // 2, image.shape[0] // 2, cv2.INTER_LINEAR)
    height, width = image.shape[:2]
    if max(height, width) > size:
        image = _resized(image, min(width, size), min(height, size), cv2.INTER_AREA)
    return image if image.shape[:2] == (size, size) else _resized(image, size, size, cv2.INTER_LINEAR)


def _resized(image: Array, width: int, height: int, interpolation: int) -> Array:
    return cv2.resize(image, (width, height), interpolation=interpolation)  # type: ignore[return-value]


def _reduce(image: Image.Image, for_size: int | None) -> None:
    """Makes Pillow decode an opened JPEG at 1/2, 1/4 or 1/8 of its size, as `for_size` allows."""
    if for_size is not None:
        image.draft(None, (int(for_size * SHORTFALL), int(for_size * SHORTFALL)))


def _is_halved(image: Image.Image) -> bool:
    """Tells whether Pillow will keep only the upper 8 of 16 bits a channel of an image that it has just opened."""
    has_all_bits = image.mode in ("I", "F") or image.mode.startswith("I;16")
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return not has_all_bits and any(SIXTEEN_BITS_EACH in str(tile.args) for tile in tiles)


def _is_black(image: Image.Image) -> bool:
    """Tells whether all colours are 0, transparent or not."""
    colours = image.convert("L") if image.mode in ("LA", "La") else image.convert("RGB")
    return colours.getbbox() is None


def _one_bit(path: Path, image: Image.Image) -> Image.Image:
    """Reads a bitmap of 8 bits with a black and white palette, which Pillow (13.0) takes for one of a single bit."""
    content = path.read_bytes()
    if not content.startswith(BITMAP) or int.from_bytes(content[BITS_IN_BITMAP], "little") != WHOLE_BYTE:
        return image
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise ValueError("damaged bitmap")
    return Image.fromarray(np.asarray(decoded, np.uint8))


def _too_large(path: Path | str, found: str) -> InputError:
    limit = f"allowed: {LARGEST_PIXELS / 1e6:.0f} million pixels"
    return InputError(f"{path}: is too large ({found}); {limit}; save it smaller or take it out")
