"""Facts about one sample's files that the checks judge."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.colours import profile_name
from lesionseg.data.image_file import (
    ON_ITS_SIDE,
    UPRIGHT,
    exif_orientation,
    open_image,
    opened_image,
    read_photograph,
    resize_image,
)
from lesionseg.data.likeness import SIDE, Portrait, portrait
from lesionseg.data.masks import LESION_ABOVE, level_counts, read_grey, resize_mask
from lesionseg.data.source import FilePair, Sample, Subset
from lesionseg.errors import InputError

Array = NDArray[np.uint8]
Key = tuple[str, str]
SMALL = 96  # pixels, height and width of the copy that is kept of an image and of a mask
LARGE = (
    1024  # pixels, longer side from which regions are counted in a smaller copy, as labelling is slower than reading
)
ORIENTATION_MARKS = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
"""A PNG without any of these has no orientation; Pillow would decode all of it to be sure."""


@dataclass(frozen=True)
class FileFacts:
    """Format and shape of a file, as its header tells them."""

    format: str | None  # Pillow's name, for example `JPEG`; None for a computed sample
    mode: str  # Pillow's mode as stored, for example `RGB`
    suffix: str  # of the name, in lower case
    orientation: int  # EXIF orientation; 1 is upright
    shape: tuple[int, int]  # (H, W) once it is turned upright
    profile: str | None = None  # name of the ICC profile of a photograph if it changes colours

    @property
    def stored_shape(self) -> tuple[int, int]:
        """(H, W) as the pixels lie in the file."""
        return self.shape[::-1] if self.orientation in ON_ITS_SIDE else self.shape


@dataclass(frozen=True)
class ImageFacts:
    """Contents of an image."""

    file: FileFacts
    small: Array  # (SMALL, SMALL, 3) RGB
    portrait: Portrait  # finds copies of it


@dataclass(frozen=True)
class MaskFacts:
    """Contents of a mask."""

    file: FileFacts
    levels: NDArray[np.int64]  # (256,) number of pixels of each grey level
    coloured: bool  # whether the channels differ
    small: Array  # (SMALL, SMALL) in {0, 1}
    share: float  # of the pixels that is lesion, 0 to 1
    pieces: int  # connected regions
    content: bytes  # digest of the lesion's pixels


@dataclass(frozen=True)
class FileFault:
    """Reason why a file cannot be read, as a sentence."""

    kind: str  # `unreadable`, `truncated` or `empty`
    text: str


@dataclass(frozen=True)
class Examination:
    """Facts about one sample, or faults where a file cannot be read."""

    sample: Sample
    subset: Subset
    image: ImageFacts | FileFault
    mask: MaskFacts | FileFault

    @property
    def id(self) -> str:
        """Id of the sample."""
        return self.sample.id

    @property
    def key(self) -> Key:
        """Id and subset, as an id may be in several subsets."""
        return self.id, self.subset


def examine(sample: Sample, subset: Subset) -> Examination:
    """Reads a sample's files whole; returns faults instead of raising."""
    if isinstance(sample, FilePair):
        return Examination(sample, subset, _examine_image(sample.image_path), examine_mask(sample.mask_path))
    image, mask = sample.read()
    shape = image.shape[0], image.shape[1]
    image_facts = ImageFacts(FileFacts(None, "RGB", "", UPRIGHT, shape), resize_image(image, SMALL), portrait(image))
    mask_facts = _mask_facts(FileFacts(None, "L", "", UPRIGHT, shape), mask * np.uint8(255), coloured=False)
    return Examination(sample, subset, image_facts, mask_facts)


def examine_mask(path: Path) -> MaskFacts | FileFault:
    """Reads a mask's file whole; returns a fault instead of raising."""
    try:
        file = file_facts(path)
        grey = read_grey(path)
        coloured = file.mode not in ("1", "L", "LA") and not file.mode.startswith("I") and _is_coloured(path)
    except InputError as error:
        return _fault(path, error)
    return _mask_facts(file, grey, coloured=coloured)


def file_facts(path: Path, *, is_photograph: bool = False) -> FileFacts:
    """Reads a file's header; only that of a photograph tells the profile of its colours.

    Raises:
        InputError: It is no image.
    """
    with opened_image(path) as image:
        width, height = image.size  # before Pillow loads a PNG to find its orientation
        is_plain = image.format == "PNG" and not any(mark in path.read_bytes() for mark in ORIENTATION_MARKS)
        orientation = UPRIGHT if is_plain else exif_orientation(image)
        # Pillow already returns the upright size of a TIFF.
        turned = orientation in ON_ITS_SIDE and image.format != "TIFF"
        shape = (width, height) if turned else (height, width)
        profile = profile_name(image) if is_photograph else None
        return FileFacts(image.format, image.mode, path.suffix.lower(), orientation, shape, profile)


def _examine_image(path: Path) -> ImageFacts | FileFault:
    try:
        file = file_facts(path, is_photograph=True)
        pixels = read_photograph(path, for_size=SIDE).pixels
    except InputError as error:
        return _fault(path, error)
    return ImageFacts(file, resize_image(pixels, SMALL), portrait(pixels))


def _mask_facts(file: FileFacts, grey: Array, *, coloured: bool) -> MaskFacts:
    levels = level_counts(grey)
    threshold = LESION_ABOVE if levels[2:].any() else 0
    lesion = np.asarray(cv2.threshold(grey, threshold, 1, cv2.THRESH_BINARY)[1], np.uint8)
    counted = lesion if max(lesion.shape) <= LARGE else resize_mask(lesion, LARGE)
    return MaskFacts(
        file=file,
        levels=levels,
        coloured=coloured,
        small=resize_mask(lesion, SMALL),
        share=cv2.countNonZero(lesion) / lesion.size,
        pieces=cv2.connectedComponents(counted, connectivity=8)[0] - 1,
        content=hashlib.blake2b(np.packbits(lesion).data, digest_size=16).digest(),
    )


def _is_coloured(path: Path) -> bool:
    """Tells whether a mask's channels differ anywhere."""
    colours = np.asarray(open_image(path).convert("RGB"))
    return bool((colours != colours[..., :1]).any())


def _fault(path: Path, error: InputError) -> FileFault:
    text = str(error)
    if path.is_file() and path.stat().st_size == 0:
        return FileFault("empty", f"{path} has no bytes")
    cut = any(word in text.lower() for word in ("truncated", "broken data stream", "unexpected end"))
    return FileFault("truncated" if cut else "unreadable", text)
