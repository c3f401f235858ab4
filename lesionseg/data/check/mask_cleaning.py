"""Clean masks made of masks that mean the same but are stored otherwise."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.check.examination import MaskFacts
from lesionseg.data.colours import WHITE
from lesionseg.data.image_file import UPRIGHT, open_image
from lesionseg.data.masks import read_grey, white_mask
from lesionseg.errors import InputError

Array = NDArray[np.uint8]
WORDS = {
    "jpeg_mask": "a JPEG",
    "grey_mask": "grey levels",
    "dark_mask": "too dark",
    "inverted_mask": "lesion and skin exchanged",
    "coloured_mask": "in colours",
}


def is_clean(mask: MaskFacts) -> bool:
    """Tells whether a mask's file may stay as it is: a grey or black-and-white PNG of 0 and 255, upright."""
    file = mask.file
    is_plain = file.format == "PNG" and file.mode in ("1", "L") and file.orientation == UPRIGHT
    return is_plain and not mask.levels[1:WHITE].any()


def cleaned(path: Path, mask: MaskFacts, kinds: Collection[str]) -> Array:
    """Cleans a mask.

    Args:
        path: File of the mask.
        mask: Facts about it.
        kinds: Names of the findings about it.

    Returns:
        (H, W) in {0, 255}, upright.

    Raises:
        InputError: It is unclear which pixels are lesion.
    """
    grey = _two_colours(path) if mask.coloured else read_grey(path)
    if "dark_mask" in kinds:
        grey = _two_levels(path, grey)
    levels = white_mask(grey, str(path))
    return WHITE - levels if "inverted_mask" in kinds else levels


def faults_in_words(mask: MaskFacts, kinds: Collection[str]) -> str:
    """Says what was wrong with a mask that `is_clean` refuses."""
    wrong = [text for kind, text in WORDS.items() if kind in kinds]
    if not mask.levels[2:].any() and mask.levels[1]:
        wrong.append("0 and 1")
    if mask.file.mode not in ("1", "L") and not mask.coloured:
        wrong.append(f"of several channels or bytes (Pillow's mode {mask.file.mode})")
    if mask.file.format not in ("PNG", "JPEG", "MPO"):
        wrong.append(f"a {mask.file.format}")
    return ", ".join(wrong or ["stored in an unusual way"])


def _two_colours(path: Path) -> Array:
    """Reads a mask of black and one colour as (H, W) in {0, 255}.

    Raises:
        InputError: It has other colours, so that it is unclear which one is the lesion.
    """
    colours = np.asarray(open_image(path).convert("RGB")).astype(np.uint32)
    numbers = colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
    present = np.unique(numbers)
    if len(present) != 2 or present[0] != 0:
        raise InputError(f"{path}: has {len(present)} colours; allowed: black and one other")
    return np.where(numbers > 0, WHITE, 0).astype(np.uint8)


def _two_levels(path: Path, grey: Array) -> Array:
    """Brightens a mask of 0 and one dark level.

    Raises:
        InputError: It has several levels, so that it is unclear from which one on it is lesion.
    """
    levels = np.unique(grey)
    if len(levels) != 2 or levels[0] != 0:
        raise InputError(f"{path}: has {len(levels)} levels up to {levels[-1]}; allowed: 0 and one other")
    return np.where(grey > 0, WHITE, 0).astype(np.uint8)
