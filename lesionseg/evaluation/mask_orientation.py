"""Which way up two masks are compared.

The ISIC challenge's scorer compares pixels as they are stored and does not look at EXIF, and so does this, wherever two
masks fit as they are stored. Only two that fit upright alone are turned first.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lesionseg.data.image_file import opened_image
from lesionseg.data.orientation import ON_ITS_SIDE, UPRIGHT, stored_orientation

MOST_NAMED = 4
ORIENTATION_MARKS = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
"""Without any of these a PNG has no orientation; Pillow would decode all of it to be sure."""


class Header(NamedTuple):
    """What a mask file says of itself before it is decoded."""

    size: tuple[int, int]
    """(W, H) in pixels, as stored."""
    orientation: int
    """EXIF's, 1..8."""
    format: str
    """Pillow's name."""
    mode: str
    """Pillow's."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """(W, H) once it is turned upright."""
        return self.size[::-1] if self.orientation in ON_ITS_SIDE else self.size


def read_header(path: Path) -> Header:
    """Reads a mask's header.

    Raises:
        InputError: It is no image.
    """
    with opened_image(path) as image:
        quick = image.format == "PNG" and not any(mark in path.read_bytes() for mark in ORIENTATION_MARKS)
        size = image.size  # before Pillow loads a PNG to find its orientation
        orientation = UPRIGHT if quick else stored_orientation(image)
        if image.format == "TIFF" and orientation in ON_ITS_SIDE:
            size = size[::-1]  # of a TIFF Pillow tells the upright size
        return Header(size, orientation, str(image.format), image.mode)


def turned_upright(prediction: Header, truth: Header) -> bool | None:
    """Tells whether two masks are to be turned upright before they are compared; None where they fit in neither way."""
    if prediction.size == truth.size:
        return False
    return True if prediction.upright_size == truth.upright_size else None


def orientation_notes(ids: Sequence[str], orientations: Sequence[tuple[int, int]], turned: set[str]) -> Iterator[str]:
    """Yields in words where EXIF's orientation makes a difference, and what was done.

    Args:
        ids: Ids of the pairs.
        orientations: EXIF orientations of each pair's prediction and ground truth.
        turned: Ids of the pairs that are turned upright.
    """
    differing = [(id_, pair) for id_, pair in zip(ids, orientations, strict=True) if pair[0] != pair[1]]
    for is_turned, what in (
        (False, "are compared as they are stored, as the ISIC challenge's scorer does; if one lies turned, turn it"),
        (True, "fit only when they are turned upright as EXIF says, and are compared so"),
    ):
        named = [f"{id_}: {pair[0]} and {pair[1]}" for id_, pair in differing if (id_ in turned) == is_turned]
        if named:
            more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
            listed = f"{', '.join(named[:MOST_NAMED])}{more}"
            yield f"{len(named)} predictions whose EXIF orientation is not their ground truth's ({listed}) {what}"
