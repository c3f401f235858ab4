"""What the levels of a mask file mean: one rule for ground truth and predictions, whoever reads them.

A mask is of 0 and 1, or of 0 and 255 (0 and 65535 in 16 bits), or has grey levels around its outlines up to 255, of
which the ISIC challenge counts those above 128 as lesion. Refused is whatever would be read as something else than it
means: two levels that are both below that, class numbers beside 255 ("ignore"), and fractions.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.colours import SIXTEEN_TO_EIGHT, WHITE, to_eight_bits
from lesionseg.errors import InputError

Array = NDArray[np.uint8]
LESION_ABOVE = 128
"""The ISIC challenge's rule: a pixel of an 8-bit mask is lesion where it is above this."""
LARGEST_CLASS = 10
"""Levels up to this, with none between them and the largest, are numbers of classes and no greys of an outline."""
ALLOWED = "allowed: masks of 0 and 1, or of 0 and 255"


def white_mask(grey: Array, name: str) -> Array:
    """Decides a ground truth's levels, (H, W): 255 where the lesion is, else 0.

    Raises:
        InputError: Its levels are not those of a mask.
    """
    if _is_black_and_white(grey):
        return grey
    levels = level_counts(grey)
    fault = class_fault(levels) or dark_fault(levels)
    if fault:
        raise InputError(f"{name}: {fault}; {ALLOWED}")
    threshold = LESION_ABOVE if levels[2:].any() else 0
    return cv2.threshold(grey, threshold, WHITE, cv2.THRESH_BINARY)[1]  # type: ignore[return-value]


def decided(grey: Array, name: str, *, above: int, setting: str) -> Array:
    """Decides levels, (H, W), by a threshold of the user's: 1 where they are above it, else 0.

    A map of many greys may well have nothing above it; a mask of two levels that has not is refused.

    Args:
        grey: uint8 0..255.
        name: Name of the file.
        above: 0 to 254.
        setting: What the user calls it.

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
    """Says which class numbers a mask holds beside 255, where most readers expect lesion but such masks have a border.

    Args:
        levels: As `level_counts` gives them.
    """
    numbers = np.flatnonzero(levels[1 : LARGEST_CLASS + 1]) + 1
    if not levels[WHITE] or not len(numbers) or levels[LARGEST_CLASS + 1 : WHITE].any():
        return None
    return f"holds {', '.join(map(str, numbers))} and 255, which are class numbers and a label to ignore"


def dark_fault(levels: NDArray[np.int64]) -> str | None:
    """Says that nothing in a mask is bright enough for a lesion, unless it is of 0 and 1."""
    largest = int(np.flatnonzero(levels).max())
    return f"the mask's largest value is {largest}" if 1 < largest <= LESION_ABOVE else None


def eight_bit_levels(values: NDArray[np.generic], name: str) -> Array:
    """Brings a mask's 16 or 32 bits, whole numbers or floats, to 8 bits.

    Raises:
        InputError: They have fractions, are negative, or are no mask's in 16 bits.
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


def check_transparency(grey: Array, alpha: Array, name: str) -> None:
    """Refuses a mask whose transparency says something else than its colours: it may be drawn in either.

    Args:
        grey: (H, W) levels of its colours.
        alpha: (H, W): 0 for transparent, 255 for opaque.
        name: Name of the file.

    Raises:
        InputError: They differ, and not everything is opaque.
    """
    opaque = alpha > LESION_ABOVE
    lesion = grey > (LESION_ABOVE if grey.max() > 1 else 0)
    if not opaque.all() and not np.array_equal(opaque, lesion):
        raise InputError(
            f"{name}: the mask has transparent pixels ({1 - opaque.mean():.0%}) that its colours do not tell of; "
            "save it in black and white without transparency"
        )


def _is_black_and_white(grey: Array) -> bool:
    """Tells whether there is nothing but 0 and 255, by sums: comparing each of millions of pixels takes longer."""
    return bool(cv2.sumElems(grey)[0] == WHITE * cv2.countNonZero(grey))


def _is_flat(levels: NDArray[np.int64], largest: int, above: int) -> bool:
    """Tells a mask drawn with a dark level, grey around its outline perhaps, from a map of probabilities."""
    if largest <= LARGEST_CLASS:
        return True
    return above == LESION_ABOVE and bool(2 * levels[largest] >= levels[1:].sum())
