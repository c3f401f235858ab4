"""Looking at one sample's files and writing down what the checks need, without judging."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.colours import profile_name
from lesionseg.data.image_file import open_image, opened_image, read_grey, read_photograph
from lesionseg.data.mask_levels import LESION_ABOVE, level_counts
from lesionseg.data.orientation import ON_ITS_SIDE, UPRIGHT, stored_orientation
from lesionseg.data.portrait import SIDE, Portrait, portrait
from lesionseg.data.resize import resize_image, resize_mask
from lesionseg.data.sample import FilePair, Sample
from lesionseg.data.source import Part
from lesionseg.errors import InputError

Array = NDArray[np.uint8]
SMALL = 96
"""Height and width in pixels of what is kept of an image and of a mask."""
LARGE = 1024
"""Pixels a side."""


@dataclass(frozen=True)
class FileFacts:
    """What a file is.

    Attributes:
        format: Pillow's name, for example `JPEG`; None for a computed sample.
        mode: Pillow's mode as stored, for example `RGB`.
        suffix: Suffix of its name, in lower case.
        orientation: EXIF's number; 1 is upright.
        shape: (H, W), upright.
        digest: Digest of its bytes.
        profile: Name of its ICC profile, where that changes colours.
    """

    format: str | None
    mode: str
    suffix: str
    orientation: int
    shape: tuple[int, int]
    digest: bytes
    profile: str | None = None


@dataclass(frozen=True)
class ImageFacts:
    """What is in an image: its file, (SMALL, SMALL, 3) uint8 RGB of it, and what it is compared with others by."""

    file: FileFacts
    small: Array
    portrait: Portrait


@dataclass(frozen=True)
class MaskFacts:
    """What is in a mask.

    Attributes:
        file: Its file.
        levels: (256,) number of pixels of each grey level.
        coloured: Whether its channels differ.
        small: (SMALL, SMALL) uint8 in {0, 1}, lesion by the rule of `read_mask`.
        share: Share of its pixels that is lesion.
        pieces: Number of connected regions.
        content: Digest of which pixels are lesion.
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
    """Why a file could not be read: `unreadable`, `truncated` or `empty`, and in words."""

    kind: str
    text: str


@dataclass(frozen=True)
class Examination:
    """What was found in one sample; facts are None where the file could not be read."""

    sample: Sample
    part: Part
    image: ImageFacts | FileFault
    mask: MaskFacts | FileFault

    @property
    def id(self) -> str:
        """The sample's."""
        return self.sample.id


def examine(sample: Sample, part: Part) -> Examination:
    """Reads a sample's files whole; never raises for what is wrong with them."""
    if isinstance(sample, FilePair):
        return Examination(sample, part, _image_file(sample.image_path), examine_mask(sample.mask_path))
    image, mask = sample.read()
    shape = image.shape[0], image.shape[1]
    image_facts = ImageFacts(
        FileFacts(None, "RGB", "", UPRIGHT, shape, b""), resize_image(image, SMALL), portrait(image)
    )
    mask_facts = _mask_facts(FileFacts(None, "L", "", UPRIGHT, shape, b""), mask * np.uint8(255), coloured=False)
    return Examination(sample, part, image_facts, mask_facts)


def _image_file(path: Path) -> ImageFacts | FileFault:
    try:
        file = _file_facts(path)
        pixels = read_photograph(path, for_size=SIDE).pixels
    except InputError as error:
        return _fault(path, error)
    return ImageFacts(file, resize_image(pixels, SMALL), portrait(pixels))


def examine_mask(path: Path) -> MaskFacts | FileFault:
    """Reads a mask's file whole; never raises for what is wrong with it."""
    try:
        file = _file_facts(path)
        grey = read_grey(path)
        coloured = file.mode not in ("1", "L", "LA") and not file.mode.startswith("I") and _is_coloured(path)
    except InputError as error:
        return _fault(path, error)
    return _mask_facts(file, grey, coloured=coloured)


def _file_facts(path: Path) -> FileFacts:
    """Reads a file's header and bytes; the shape of an image on its side is that of the upright one.

    Raises:
        InputError: It is no image.
    """
    with opened_image(path) as image:
        digest = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
        orientation = stored_orientation(image)
        width, height = image.size
        # Of a TIFF, Pillow tells the upright size at once.
        turned = orientation in ON_ITS_SIDE and image.format != "TIFF"
        shape = (width, height) if turned else (height, width)
        return FileFacts(image.format, image.mode, path.suffix.lower(), orientation, shape, digest, profile_name(image))


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
    """Counts regions; in a large mask on a smaller copy, since labelling takes longer than reading."""
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
