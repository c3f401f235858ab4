"""From whatever numbers a file keeps to 8-bit sRGB: bits, greys, palettes, printing colours and ICC profiles.

Left alone are PNG's gAMA, cHRM and cICP chunks and a camera's Adobe RGB that only EXIF tells of: no profile comes with
them, and most readers leave them alone too.
"""

import functools
import io
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from lesionseg.errors import InputError

WHITE = 255
SIXTEEN_BITS = 65_535
SIXTEEN_TO_EIGHT = 257
"""65535 / 255."""
GREY_MODES = ("1", "L", "LA")
PROFILED = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""Pillow's mode in which a profile of a colour space takes its pixels."""
NAMELESS, LONGEST_NAME = "without a name", 100
LEVELS = 6
"""Levels of each channel at which a profile is compared with sRGB."""
SAME = 3
"""Grey levels that a profile may differ by from sRGB and still be one of its many versions: pixels stay as they are."""


class Conversion(NamedTuple):
    """From a profile's colours to sRGB."""

    mode: str
    """Pillow's mode that it takes."""
    transform: ImageCms.ImageCmsTransform


def rgb_of(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Converts a decoded image of any of Pillow's modes to (H, W, 3) uint8 sRGB 0..255.

    Grey is repeated in all channels, transparency dropped, and 16 bits are brought to 8. An ICC profile other than
    sRGB's is followed (relative colorimetric, with black point compensation); one that is damaged or of another kind
    of image counts as none.

    Args:
        image: Its `info` may hold an `icc_profile`.
        name: What it is called in an error.

    Raises:
        InputError: It has 32 bits a channel.
    """
    image = _plain(image, name)
    conversion = conversion_of(image)
    if conversion is not None:
        in_mode = image if image.mode == conversion.mode else image.convert(conversion.mode)
        image = ImageCms.applyTransform(in_mode, conversion.transform) or in_mode  # None only where done in place
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def conversion_of(image: Image.Image) -> Conversion | None:
    """Returns what an image's profile asks for; None where there is none, or sRGB's, or none that can be used."""
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":  # without a profile, too, these are defined colours
        profile = profile or _built_in("LAB").tobytes()
    return _conversion(profile, image.mode) if isinstance(profile, bytes) and profile else None


def profile_name(image: Image.Image) -> str | None:
    """Names the profile that is followed, in its own words; None where pixels are left as they are."""
    if conversion_of(image) is None or "icc_profile" not in image.info:
        return None
    opened = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    try:
        return ImageCms.getProfileDescription(opened).strip()[:LONGEST_NAME] or NAMELESS
    except ImageCms.PyCMSError:
        return NAMELESS


def to_eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Brings 16 bits to 8 as PNG's specification does (65535 is white); 0..255 in 16 bits stay as they are."""
    eight = values // SIXTEEN_TO_EIGHT if values.max(initial=0) > WHITE else values
    return np.asarray(eight, np.uint8)


def _plain(image: Image.Image, name: str) -> Image.Image:
    """Brings an image to 8 bits a channel, transparency not multiplied in."""
    if image.mode in ("La", "RGBa"):
        return image.convert(image.mode.upper())
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min(initial=0) < 0 or values.max(initial=0) > SIXTEEN_BITS:
        # There is no telling what is white there.
        raise InputError(f"{name}: has 32 bits a pixel (Pillow's mode {image.mode}); convert it to 8 or 16 bits")
    eight = Image.fromarray(to_eight_bits(values))
    eight.info = image.info
    return eight


@functools.cache
def _built_in(name: Literal["sRGB", "LAB"]) -> ImageCms.ImageCmsProfile:
    """Makes a profile when it is first asked for, which takes tens of milliseconds."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name))


@functools.lru_cache(maxsize=64)
def _conversion(profile: bytes, mode: str) -> Conversion | None:
    """Builds what brings pixels of a mode from a profile to sRGB; transforms may be shared between threads."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        taken = PROFILED.get(source.profile.xcolor_space.strip())
        if taken is None or not _is_of(mode, taken):
            return None
        transform = ImageCms.ImageCmsTransform(
            source,
            _built_in("sRGB"),
            taken,
            "RGB",
            intent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if _changes_nothing(transform, taken) else Conversion(taken, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return None  # damaged: the numbers alone are left


def _is_of(mode: str, taken: str) -> bool:
    """Tells whether an image of a mode can be what a profile for another mode describes."""
    if taken == "L":
        return mode in GREY_MODES
    return mode == taken if taken in ("CMYK", "LAB") else mode not in ("CMYK", "LAB")


def _changes_nothing(transform: ImageCms.ImageCmsTransform, taken: str) -> bool:
    """Compares colours from all over the cube before and after."""
    if taken not in ("RGB", "L"):
        return False
    steps = np.linspace(0, WHITE, LEVELS if taken == "RGB" else WHITE + 1).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3) if taken == "RGB" else steps[None]
    before = Image.fromarray(np.ascontiguousarray(colours))
    after = ImageCms.applyTransform(before, transform)
    difference = np.asarray(before.convert("RGB")).astype(int) - np.asarray(after)
    return int(np.abs(difference).max()) <= SAME
