"""Reading images and masks from files: any common format in, plain 8-bit arrays out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from lesionseg.data.colours import rgb_of
from lesionseg.data.file_types import FORMATS, contents_text
from lesionseg.data.grey_png import read_grey_png
from lesionseg.data.mask_levels import check_transparency, eight_bit_levels, white_mask
from lesionseg.data.orientation import stored_orientation
from lesionseg.data.pixel_limit import refuse_too_large, too_large
from lesionseg.errors import InputError

BYTES_A_PIXEL = 14
"""Of memory while reading: Pillow's 4 of RGB, 4 more of CMYK or while turning, 3 of the array, 3 on the way to it."""
COEFFICIENT_BYTES = 6
"""A pixel of a progressive JPEG: 16 bits for each of three channels, fewer where colour is subsampled."""
SIGNATURE_BYTES = 132
BITMAP, BITS_IN_BITMAP, WHOLE_BYTE = b"BM", slice(28, 30), 8
"""A BMP file's signature, where it says how many bits a pixel has, and one byte of them."""
SIXTEEN_BITS_EACH = ";16"
"""What Pillow's names of raw pixels hold where each channel has 16 bits, as in `RGB;16B`."""
SHORTFALL = 0.9
"""A JPEG may be decoded at a scale that gives this share of the pixels asked for: 252 rows enlarged to 256 differ from
256 rows by 0.7 grey levels on average, and the next scale has four times as many."""


class Photograph(NamedTuple):
    """An image as read, perhaps at a reduced scale."""

    pixels: NDArray[np.uint8]
    """(h, w, 3) RGB 0..255."""
    shape: tuple[int, int]
    """(H, W) of the file itself, upright."""
    orientation: int
    """The file's EXIF orientation, 1..8, which has been undone: 1 where its pixels lie upright."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a photograph at its own size: (H, W, 3) uint8 RGB 0..255; see `read_photograph`."""
    return read_photograph(path).pixels


def read_photograph(path: Path, *, for_size: int | None = None) -> Photograph:
    """Reads a photograph upright as its EXIF orientation says, in sRGB; see `rgb_of`.

    Of a file of several pictures it is the first.

    Args:
        path: A file of any of `READABLE_SUFFIXES`, whatever its contents really are.
        for_size: The result will be resized to (for_size, for_size): a JPEG of several times that size is decoded at
            1/2, 1/4 or 1/8 of its own, which libjpeg does in the frequency domain for a fraction of the time.

    Raises:
        InputError: The file cannot be read, is cut short, has 32 bits a channel or more than `LARGEST_PIXELS`.
    """
    image = open_image(path, for_size=for_size)
    width, height = image.info["file_size"]
    with named_faults(path):
        return Photograph(rgb_of(image, str(path)), (height, width), image.info["orientation"])


def photograph_of(image: Image.Image) -> Photograph:
    """Does as `read_photograph` with Pillow's image, whose pixels stay as they are.

    Raises:
        InputError: Its file cannot be read, or it has 32 bits a channel.
    """
    with named_faults("the image"):
        image.load()  # which turns a TIFF, for good
        orientation = stored_orientation(image)
        upright = ImageOps.exif_transpose(image)
        return Photograph(rgb_of(upright, "the image"), upright.size[::-1], orientation)


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask at its own size: (H, W) uint8, 1 where the lesion is, else 0; see `read_white_mask`."""
    return cv2.threshold(read_white_mask(path), 0, 1, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def read_white_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask at its own size, from 1-bit, 8-bit or 16-bit files, 0/1 or 0/255 (0/65535).

    Returns:
        (H, W) uint8, 255 where the lesion is, else 0: the form that most files have and that can be averaged.

    Raises:
        InputError: The file cannot be read, or its levels are not those of a mask; see `mask_levels`.
    """
    return white_mask(read_grey(path), str(path))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Reads a mask file's grey levels, (H, W) uint8, without judging them; 16 and 32 bits are brought to 8.

    Raises:
        InputError: The file cannot be read, has fractions or more than 16 bits, or its transparency contradicts it.
    """
    quick = read_grey_png(path)
    if quick is not None:
        return quick
    image = open_image(path)
    with named_faults(path):
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return eight_bit_levels(np.asarray(image), str(path))
        if not image.has_transparency_data:
            return np.asarray(image.convert("L"))
        rgba = image.convert("RGBA")
        grey = np.asarray(rgba.convert("L"))
        check_transparency(grey, np.asarray(rgba.getchannel("A")), str(path))
        return grey


def open_image(path: Path, *, for_size: int | None = None) -> Image.Image:
    """Decodes the whole file now, so that a damaged one is found here and not later.

    Returns:
        Pillow's image, upright; `info["file_size"]` is the file's own (W, H), upright, and `info["orientation"]` the
        EXIF orientation that its pixels are stored in.

    Raises:
        InputError: The file cannot be read, or has 16 bits a channel of which only the lower 8 are used.
    """
    with opened_image(path) as image:
        is_halved = _is_halved(image)
        file_size = image.size
        _reduce(image, for_size)
        decoded_size = image.size
        orientation = stored_orientation(image)
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
    turned = image.size != decoded_size
    image.info["file_size"] = file_size[::-1] if turned else file_size
    image.info["orientation"] = orientation
    return image


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """Opens a file without decoding it; whatever goes wrong while it is open is the file's fault.

    Raises:
        InputError: It is no image, is damaged, or has more pixels than `LARGEST_PIXELS`.
    """
    # Given the path itself, Pillow 13 maps a plain TIFF into memory, and garbles one that lies on its side.
    with named_faults(path), path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
        refuse_too_large(path, image.size)
        yield image


@contextmanager
def named_faults(name: str | Path) -> Iterator[None]:
    """Turns whatever goes wrong while an image is decoded or converted into an `InputError` that names it."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(name, str(error)) from error
    except Exception as error:  # Pillow's parsers raise whatever they stumble on in a damaged file
        reason, advice = str(error) or type(error).__name__, "replace the file or take it out"
        if isinstance(error, UnidentifiedImageError) and isinstance(name, Path):
            reason, advice = "of no kind that is read", _kind_of_contents(name) or advice
        raise InputError(f"{name}: cannot be read as an image ({reason}); {advice}") from error


def _is_halved(image: Image.Image) -> bool:
    """Tells whether Pillow, of an image it has only opened, will keep the upper 8 of 16 bits a channel."""
    kept = image.mode not in ("I", "F") and not image.mode.startswith("I;16")
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return kept and any(SIXTEEN_BITS_EACH in str(tile.args) for tile in tiles)


def _is_black(image: Image.Image) -> bool:
    """Tells whether all colours are 0, transparent or not."""
    colours = image.convert("L") if image.mode in ("LA", "La") else image.convert("RGB")
    return colours.getbbox() is None


def _one_bit(path: Path, image: Image.Image) -> Image.Image:
    """Reads a bitmap of 8 bits whose palette is black and white, which Pillow (13.0) takes for one of a single bit."""
    content = path.read_bytes()
    if not content.startswith(BITMAP) or int.from_bytes(content[BITS_IN_BITMAP], "little") != WHOLE_BYTE:
        return image
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise ValueError("damaged bitmap")
    return Image.fromarray(np.asarray(decoded, np.uint8))


def _kind_of_contents(path: Path) -> str | None:
    with path.open("rb") as file:
        return contents_text(file.read(SIGNATURE_BYTES))


def decoded_bytes(path: Path, for_size: int | None = None) -> int:
    """Estimates from a file's header how much memory `read_photograph` takes while it reads it, rather too much.

    A WebP or JPEG 2000 under another name takes up to half as much again.

    Raises:
        InputError: The file is no image or has more than `LARGEST_PIXELS`.
    """
    with opened_image(path) as image:
        width, height = image.size
        # A progressive JPEG comes in layers, so that libjpeg keeps the coefficients of all its own pixels.
        coefficients = width * height * COEFFICIENT_BYTES if "progressive" in image.info else 0
        _reduce(image, for_size)
        return image.width * image.height * BYTES_A_PIXEL + coefficients


def _reduce(image: Image.Image, for_size: int | None) -> None:
    """Has a JPEG that Pillow has only opened decoded at 1/2, 1/4 or 1/8 of its size, as `for_size` allows."""
    if for_size is not None:
        image.draft(None, (int(for_size * SHORTFALL), int(for_size * SHORTFALL)))
