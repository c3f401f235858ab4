"""Making a clean mask of one that means the same but is stored otherwise."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.colours import WHITE
from lesionseg.data.image_file import open_image, read_grey
from lesionseg.data.mask_levels import white_mask
from lesionseg.data.orientation import UPRIGHT
from lesionseg.doctor.examination import MaskFacts
from lesionseg.errors import InputError

Array = NDArray[np.uint8]


class CleanMask(NamedTuple):
    """A mask without faults."""

    levels: Array
    """(H, W) in {0, 255}, upright."""
    wrong: list[str]
    """What was wrong with the file."""


def is_clean(mask: MaskFacts) -> bool:
    """Tells whether a mask's file may stay as it is: a grey or black-and-white PNG of 0 and 255, upright."""
    file = mask.file
    return (
        file.format == "PNG"
        and file.mode in ("1", "L")
        and file.orientation == UPRIGHT
        and not mask.levels[1:WHITE].any()
    )


def cleaned(path: Path, mask: MaskFacts, kinds: Collection[str]) -> CleanMask:
    """Cleans a mask.

    Args:
        path: Its file.
        mask: What it was examined to be.
        kinds: Kinds of the doctor's findings about it.

    Raises:
        InputError: What is lesion in it cannot be told.
    """
    grey = _two_colours(path) if mask.coloured else read_grey(path)
    if "dark_mask" in kinds:
        grey = _two_levels(path, grey)
    levels = white_mask(grey, str(path))
    if "inverted_mask" in kinds:
        levels = WHITE - levels
    return CleanMask(levels, list(_wrong(mask, kinds)))


def _wrong(mask: MaskFacts, kinds: Collection[str]) -> list[str]:
    words = {
        "jpeg_mask": "a JPEG",
        "grey_mask": "grey levels",
        "dark_mask": "too dark",
        "inverted_mask": "lesion and skin exchanged",
        "coloured_mask": "in colours",
    }
    wrong = [text for kind, text in words.items() if kind in kinds]
    if not mask.levels[2:].any() and mask.levels[1]:
        wrong.append("0 and 1")
    if mask.file.mode not in ("1", "L") and not mask.coloured:
        wrong.append(f"of several channels or bytes (Pillow's mode {mask.file.mode})")
    if mask.file.format not in ("PNG", "JPEG", "MPO"):
        wrong.append(f"a {mask.file.format}")
    return wrong or ["stored in an unusual way"]


def _two_colours(path: Path) -> Array:
    """Reads a mask of black and one colour, whichever: (H, W) in {0, 255}.

    Raises:
        InputError: It has other colours, so that nobody can say which is the lesion's.
    """
    colours = np.asarray(open_image(path).convert("RGB")).astype(np.uint32)
    numbers = colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
    present = np.unique(numbers)
    if len(present) != 2 or present[0] != 0:
        raise InputError(f"{path}: has {len(present)} colours; only black and one other can be told apart")
    return np.where(numbers > 0, WHITE, 0).astype(np.uint8)


def _two_levels(path: Path, grey: Array) -> Array:
    """Brightens a mask of 0 and one dark level.

    Raises:
        InputError: It has several, so that nobody can say from which on it is lesion.
    """
    levels = np.unique(grey)
    if len(levels) != 2 or levels[0] != 0:
        raise InputError(f"{path}: has {len(levels)} levels up to {levels[-1]}; only 0 and one other can be told apart")
    return np.where(grey > 0, WHITE, 0).astype(np.uint8)
