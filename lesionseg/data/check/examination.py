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
SMALL = 96
"""Height and width in pixels of the copy that is kept of an image and of a mask."""
LARGE = 1024
"""Longer side in pixels from which regions are counted in a smaller copy."""


@dataclass(frozen=True)
class FileFacts:
    """Format and shape of a file.

    Attributes:
        format: Pillow's name of the format, for example `JPEG`; None for a computed sample.
        mode: Pillow's mode as stored, for example `RGB`.
        suffix: Suffix of the name in lower case.
        orientation: EXIF orientation; 1 is upright.
        shape: (H, W) once it is turned upright.
        profile: Name of the ICC profile if it changes colours.
    """

    format: str | None
    mode: str
    suffix: str
    orientation: int
    shape: tuple[int, int]
    profile: str | None = None


@dataclass(frozen=True)
class ImageFacts:
    """File of an image, a (SMALL, SMALL, 3) uint8 RGB copy, and the portrait that finds copies of it."""

    file: FileFacts
    small: Array
    portrait: Portrait


@dataclass(frozen=True)
class MaskFacts:
    """Contents of a mask.

    Attributes:
        file: File of the mask.
        levels: (256,) number of pixels of each grey level.
        coloured: Whether the channels differ.
        small: (SMALL, SMALL) uint8 in {0, 1}.
        share: Share of the pixels that is lesion, 0 to 1.
        pieces: Number of connected regions.
        content: Digest of the lesion's pixels.
    """

    file: FileFacts
    levels: NDArray[np.int64]
    coloured: bool
    small: Array
    share: float
    pieces: int
    content: bytes


@dataclass(frozen=True)
class FileFault:
    """Reason why a file cannot be read: `unreadable`, `truncated` or `empty`, and a sentence."""

    kind: str
    text: str


@dataclass(frozen=True)
class Examination:
    """Facts about one sample, or faults where a file cannot be read."""

    sample: Sample
    part: Subset
    image: ImageFacts | FileFault
    mask: MaskFacts | FileFault

    @property
    def id(self) -> str:
        """Id of the sample."""
        return self.sample.id


def examine(sample: Sample, part: Subset) -> Examination:
    """Reads a sample's files whole; returns faults instead of raising."""
    if isinstance(sample, FilePair):
        return Examination(sample, part, _image_file(sample.image_path), examine_mask(sample.mask_path))
    image, mask = sample.read()
    shape = image.shape[0], image.shape[1]
    image_facts = ImageFacts(FileFacts(None, "RGB", "", UPRIGHT, shape), resize_image(image, SMALL), portrait(image))
    mask_facts = _mask_facts(FileFacts(None, "L", "", UPRIGHT, shape), mask * np.uint8(255), coloured=False)
    return Examination(sample, part, image_facts, mask_facts)


def _image_file(path: Path) -> ImageFacts | FileFault:
    try:
        file = _file_facts(path)
        pixels = read_photograph(path, for_size=SIDE).pixels
    except InputError as error:
        return _fault(path, error)
    return ImageFacts(file, resize_image(pixels, SMALL), portrait(pixels))


def examine_mask(path: Path) -> MaskFacts | FileFault:
    """Reads a mask's file whole; returns a fault instead of raising."""
    try:
        file = _file_facts(path)
        grey = read_grey(path)
        coloured = file.mode not in ("1", "L", "LA") and not file.mode.startswith("I") and _is_coloured(path)
    except InputError as error:
        return _fault(path, error)
    return _mask_facts(file, grey, coloured=coloured)


def _file_facts(path: Path) -> FileFacts:
    """Reads a file's header.

    Raises:
        InputError: It is no image.
    """
    with opened_image(path) as image:
        orientation = exif_orientation(image)
        width, height = image.size
        # Pillow already returns the upright size of a TIFF.
        turned = orientation in ON_ITS_SIDE and image.format != "TIFF"
        shape = (width, height) if turned else (height, width)
        return FileFacts(image.format, image.mode, path.suffix.lower(), orientation, shape, profile_name(image))


def _mask_facts(file: FileFacts, grey: Array, *, coloured: bool) -> MaskFacts:
    levels = level_counts(grey)
    threshold = LESION_ABOVE if levels[2:].any() else 0
    lesion = np.asarray(cv2.threshold(grey, threshold, 1, cv2.THRESH_BINARY)[1], np.uint8)
    return MaskFacts(
        file=file,
        levels=levels,
        coloured=coloured,
        small=resize_mask(lesion, SMALL),
        share=cv2.countNonZero(lesion) / lesion.size,
        pieces=_pieces(lesion),
        content=hashlib.blake2b(np.packbits(lesion).data, digest_size=16).digest(),
    )


def _pieces(lesion: Array) -> int:
    """Counts regions, in a smaller copy of a large mask because labelling takes longer than reading."""
    small = lesion if max(lesion.shape) <= LARGE else resize_mask(lesion, LARGE)
    return cv2.connectedComponents(small, connectivity=8)[0] - 1


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
