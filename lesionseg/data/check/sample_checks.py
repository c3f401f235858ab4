"""Checks of one image and its mask."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.check.examination import Examination, FileFault, ImageFacts, MaskFacts
from lesionseg.data.check.findings import Finding
from lesionseg.data.image_file import UPRIGHT
from lesionseg.data.masks import LESION_ABOVE, class_fault, dark_fault

SMALLEST = 32  # pixels of a side below which a network cannot see a lesion
FLATTEST = 2.0  # standard deviation in grey levels below which an image shows nothing
LONGEST = 3.0  # longer side over shorter side above which an image is elongated
GREYEST = 2.0  # mean difference of the channels in grey levels below which an image has no colour
SPECK = 0.001  # share of lesion below which a mask is a speck
FULL = 0.995  # share of lesion from which a mask is full
EXCHANGED = 0.4  # share of lesion above which lesion and skin may be exchanged
AROUND = 0.95  # share of the image's edge that is lesion where the two are exchanged
MOST_PIECES = 25  # connected regions; ragged outlines of real ground truth have a few
PHOTOGRAPH = 0.5  # share of pixels that are neither black nor white from which a mask is a photograph

Found = Iterator[tuple[str, str]]
"""Names of kinds with what was found."""


def check_image(examination: Examination) -> Iterator[Finding]:
    """Yields what is wrong with a sample's image."""
    image = examination.image
    if isinstance(image, FileFault):
        yield _file_fault(examination, image, "image")
        return
    for name, text in (*_picture(image), *_file(image)):
        yield Finding(name, (examination.id,), f"{examination.id}: {text}", examination.subset)


def check_mask(examination: Examination) -> Iterator[Finding]:
    """Yields what is wrong with a sample's mask, alone and beside its image."""
    mask = examination.mask
    if isinstance(mask, FileFault):
        yield _file_fault(examination, mask, "mask")
        return
    found = [*_size(examination.image, mask), *_levels(mask)]
    if not {"class_mask", "dark_mask", "photograph_as_mask"} & {name for name, _ in found}:
        found += _region(mask)
    for name, text in found:
        yield Finding(name, (examination.id,), f"{examination.id}: {text}", examination.subset)


def is_inverted(lesion: NDArray[np.uint8], share: float) -> bool:
    """Tells whether lesion, (H, W) in {0, 1}, and skin seem exchanged: lesion all around, and skin inside.

    The share of lesion, 0 to 1, may be that of a larger mask.
    """
    if not EXCHANGED < share < FULL:
        return False
    edge = np.concatenate([lesion[0], lesion[-1], lesion[:, 0], lesion[:, -1]])
    return bool(edge.mean() > AROUND)


def _file_fault(examination: Examination, fault: FileFault, noun: Literal["image", "mask"]) -> Finding:
    name = f"empty_{noun}_file" if fault.kind == "empty" else f"{fault.kind}_{noun}"
    return Finding(name, (examination.id,), fault.text, examination.subset)


def _picture(image: ImageFacts) -> Found:
    """Checks what the image shows."""
    height, width = image.file.shape
    small = image.small.astype(float)
    if min(height, width) < SMALLEST:
        yield "tiny_image", f"{width} x {height} pixels"
    if max(height, width) > LONGEST * min(height, width):
        yield "elongated_image", f"{width} x {height} pixels"
    if small.std(axis=(0, 1)).max() < FLATTEST:
        yield "blank_image", f"all of it is about {small.mean(axis=(0, 1)).round().astype(int).tolist()}"
    elif (small.max(axis=2) - small.min(axis=2)).mean() < GREYEST:
        yield "grey_image", f"red, green and blue are the same (Pillow's mode {image.file.mode})"


def _file(image: ImageFacts) -> Found:
    """Checks how the image is stored."""
    file = image.file
    if file.mode.startswith("I"):
        yield "deep_image", f"Pillow's mode {file.mode}"
    if file.mode == "CMYK":
        yield "cmyk_image", "Pillow's mode CMYK"
    if file.mode in ("RGBA", "LA", "PA"):
        yield "transparent_image", f"Pillow's mode {file.mode}"
    if file.orientation != UPRIGHT:
        yield "turned_by_exif", f"EXIF orientation {file.orientation}"
    expected = Image.registered_extensions().get(file.suffix)
    if file.format is not None and expected not in (None, file.format, "JPEG" if file.format == "MPO" else None):
        yield "misnamed_image", f"named {file.suffix}, but it is {file.format}"


def _size(image: ImageFacts | FileFault, mask: MaskFacts) -> Found:
    """Compares the mask's size with the image's."""
    if isinstance(image, FileFault) or image.file.shape == mask.file.shape:
        return
    (height, width), (mask_height, mask_width) = image.file.shape, mask.file.shape
    name = "turned_mask" if (height, width) == (mask_width, mask_height) else "mask_of_other_size"
    yield name, f"the image is {width} x {height} pixels, its mask {mask_width} x {mask_height}"


def _levels(mask: MaskFacts) -> Found:
    """Checks the mask's grey levels."""
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
        yield "dark_mask", f"its largest value is {largest}; allowed: 0 and 1, or 0 and 255 (above {LESION_ABOVE})"
    elif len(present) > 2 and not is_jpeg:
        yield "grey_mask", f"{len(present)} grey levels; {between:.2%} of its pixels are neither 0 nor {largest}"


def _region(mask: MaskFacts) -> Found:
    """Checks the outlined region."""
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
