"""Converts images of any bit depth, palette, printing colours or ICC profile to 8-bit sRGB.

PNG's gAMA, cHRM and cICP chunks and an Adobe RGB that only EXIF declares are ignored, as by most readers: no profile
comes with them.
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
SIXTEEN_TO_EIGHT = 257  # 65535 / 255
GREY_MODES = ("1", "L", "LA")
PROFILED = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""Pillow's mode of the pixels that a profile describes, by the profile's colour space."""
NAMELESS, LONGEST_NAME = "without a name", 100
LEVELS = 6  # levels of each channel at which a profile is compared with sRGB
SAME = 3  # largest difference in grey levels from sRGB of a profile that counts as one of its many versions


class Conversion(NamedTuple):
    """A conversion from the colours of a profile, in pixels of one of Pillow's modes, to sRGB."""

    mode: str
    transform: ImageCms.ImageCmsTransform


def rgb_of(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Converts a decoded image of any of Pillow's modes to (H, W, 3) uint8 sRGB 0..255.

    Grey is repeated in all channels, transparency is dropped, and 16 bits are brought to 8. An ICC profile other than
    sRGB's is applied (relative colorimetric, with black point compensation), unless it is damaged or describes another
    kind of image. Errors call the image by `name`.

    Raises:
        InputError: The image has 32 bits a channel.
    """
    image = _eight_bit(image, name)
    conversion = conversion_of(image)
    if conversion is not None:
        in_mode = image if image.mode == conversion.mode else image.convert(conversion.mode)
        image = ImageCms.applyTransform(in_mode, conversion.transform) or in_mode  # None only where done in place
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def conversion_of(image: Image.Image) -> Conversion | None:
    """Returns the conversion of an image's profile; None without a profile, or with sRGB's or one that is unusable."""
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":  # colours that are defined without a profile, too
        profile = profile or _built_in("LAB").tobytes()
    return _conversion(profile, image.mode) if isinstance(profile, bytes) and profile else None


def profile_name(image: Image.Image) -> str | None:
    """Returns the description of the profile that `rgb_of` applies; None if it applies none."""
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


def _eight_bit(image: Image.Image, name: str) -> Image.Image:
    """Brings an image to 8 bits a channel, without premultiplied transparency."""
    if image.mode in ("La", "RGBa"):
        return image.convert(image.mode.upper())
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min(initial=0) < 0 or values.max(initial=0) > SIXTEEN_BITS:
        # Nobody knows which level is white there.
        raise InputError(f"{name}: has 32 bits a pixel (Pillow's mode {image.mode}); convert it to 8 or 16 bits")
    eight = Image.fromarray(to_eight_bits(values))
    eight.info = image.info
    return eight


@functools.cache
def _built_in(name: Literal["sRGB", "LAB"]) -> ImageCms.ImageCmsProfile:
    """Makes a profile once, which takes tens of milliseconds."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name))


@functools.lru_cache(maxsize=64)
def _conversion(profile: bytes, mode: str) -> Conversion | None:
    """Builds the conversion of pixels of a mode from a profile to sRGB; threads may share it."""
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
        return None  # the profile is damaged


def _is_of(mode: str, taken: str) -> bool:
    """Returns whether a profile for one mode can describe an image of another."""
    if taken == "L":
        return mode in GREY_MODES
    return mode == taken if taken in ("CMYK", "LAB") else mode not in ("CMYK", "LAB")


def _changes_nothing(transform: ImageCms.ImageCmsTransform, taken: str) -> bool:
    """Returns whether a transform leaves colours from all over the cube as they are, but for SAME levels."""
    if taken not in ("RGB", "L"):
        return False
    steps = np.linspace(0, WHITE, LEVELS if taken == "RGB" else WHITE + 1).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3) if taken == "RGB" else steps[None]
    before = Image.fromarray(np.ascontiguousarray(colours))
    after = ImageCms.applyTransform(before, transform)
    difference = np.asarray(before.convert("RGB")).astype(int) - np.asarray(after)
    return int(np.abs(difference).max()) <= SAME
