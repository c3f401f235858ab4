"""Checks of one mask, alone and beside its image."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.mask_levels import LESION_ABOVE, class_fault, dark_fault
from lesionseg.doctor.examination import Examination, FileFault, ImageFacts, MaskFacts
from lesionseg.doctor.finding import Finding

SPECK = 0.001
"""Share of lesion below which a mask is a speck."""
FULL = 0.995
"""Share of lesion from which a mask is full."""
EXCHANGED = 0.4
"""Share of lesion above which lesion and skin may be exchanged,"""
AROUND = 0.95
"""if this share of the picture's edge is lesion."""
MOST_PIECES = 25
"""Connected regions; ragged outlines of real ground truth have a few."""
PHOTOGRAPH = 0.5
"""Share of pixels that are neither black nor white from which a mask is a photograph."""


def check_mask(examination: Examination) -> Iterator[Finding]:
    """Yields what is wrong with a sample's mask."""
    mask = examination.mask
    if isinstance(mask, FileFault):
        name = {"empty": "empty_mask_file", "truncated": "truncated_mask"}.get(mask.kind, "unreadable_mask")
        yield Finding(name, (examination.id,), mask.text, examination.part)
        return
    found = [*_size(examination.image, mask), *_levels(mask)]
    if not {"class_mask", "dark_mask", "photograph_as_mask"} & {name for name, _ in found}:
        found += _region(mask)
    for name, text in found:
        yield Finding(name, (examination.id,), f"{examination.id}: {text}", examination.part)


def _size(image: ImageFacts | FileFault, mask: MaskFacts) -> Iterator[tuple[str, str]]:
    """Its size beside the image's."""
    if isinstance(image, FileFault) or image.file.shape == mask.file.shape:
        return
    (height, width), (mask_height, mask_width) = image.file.shape, mask.file.shape
    name = "turned_mask" if (height, width) == (mask_width, mask_height) else "mask_of_other_size"
    yield name, f"the image is {width} x {height} pixels, its mask {mask_width} x {mask_height}"


def _levels(mask: MaskFacts) -> Iterator[tuple[str, str]]:
    """Its grey levels."""
    present = np.flatnonzero(mask.levels)
    largest = int(present.max())
    between = 1 - float(mask.levels[0] + mask.levels[largest]) / mask.levels.sum() if largest else 0.0
    is_jpeg = mask.file.format in ("JPEG", "MPO")
    if mask.coloured:
        yield "coloured_mask", f"its channels differ (Pillow's mode {mask.file.mode})"
    if is_jpeg:
        yield "jpeg_mask", "saved as JPEG"
    if numbers := class_fault(mask.levels):
        yield "class_mask", numbers
    elif between >= PHOTOGRAPH:
        yield "photograph_as_mask", f"{between:.0%} of its pixels are neither black nor white"
    elif dark_fault(mask.levels):
        yield "dark_mask", f"its largest value is {largest}; read are 0 and 1, or 0 and 255 (above {LESION_ABOVE})"
    elif len(present) > 2 and not is_jpeg:
        yield "grey_mask", f"{len(present)} grey levels; {between:.2%} of its pixels are neither 0 nor {largest}"


def _region(mask: MaskFacts) -> Iterator[tuple[str, str]]:
    """The region it outlines."""
    if mask.share == 0:
        yield "empty_mask", "no pixel is lesion"
    elif mask.share >= FULL:
        yield "full_mask", f"{mask.share:.1%} of the pixels are lesion"
    elif is_inverted(mask.small, mask.share):
        yield "inverted_mask", f"lesion all around, skin inside ({mask.share:.0%} lesion)"
    elif mask.share < SPECK:
        yield "speck_mask", f"{mask.share:.3%} of the pixels are lesion"
    if mask.pieces > MOST_PIECES:
        yield "scattered_mask", f"{mask.pieces} separate regions"


def is_inverted(lesion: NDArray[np.uint8], share: float) -> bool:
    """Tells whether lesion and skin seem exchanged: lesion all around, and skin inside.

    Args:
        lesion: (H, W) in {0, 1}, at any size.
        share: Share of the picture that is lesion, 0 to 1.
    """
    if not EXCHANGED < share < FULL:
        return False
    edge = np.concatenate([lesion[0], lesion[-1], lesion[:, 0], lesion[:, -1]])
    return bool(edge.mean() > AROUND)
