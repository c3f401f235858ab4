"""Two folders of masks: which masks belong together, which way up they are compared, and what is wrong with them.

Masks are compared as they are stored, without regard to EXIF, as in the scorer of the ISIC challenge. Only two masks
that fit upright alone are turned first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.image_file import ON_ITS_SIDE, UPRIGHT, as_stored, exif_orientation, opened_image
from lesionseg.data.masks import read_grey, thresholded
from lesionseg.data.names import (
    MASK_WORDS,
    PREDICTION_WORDS,
    Affix,
    as_read,
    is_readable,
    is_unsupported,
    readable_text,
    shared_affix,
    unsupported_text,
)
from lesionseg.errors import InputError

SINGLE_CHANNEL = ("1", "L")
"""Pillow's modes that the ISIC scorer takes."""
MOST_NAMED = 4
"""Images that a note names."""
ORIENTATION_MARKS = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
"""A PNG without any of these has no orientation; Pillow would decode all of it to be sure."""


@dataclass(frozen=True)
class MaskPair:
    """A prediction, its ground truth and, where given, the photograph.

    Attributes:
        id: Name of the image.
        prediction: File of the prediction.
        truth: File of the ground truth.
        image: File of the photograph.
        orientations: EXIF orientations of prediction and ground truth.
        upright: Whether both are turned upright before they are compared.
    """

    id: str
    prediction: Path
    truth: Path
    image: Path | None
    orientations: tuple[int, int] = (UPRIGHT, UPRIGHT)
    upright: bool = False


class Header(NamedTuple):
    """What a mask file says about itself before it is decoded."""

    size: tuple[int, int]
    """(W, H) in pixels as stored."""
    orientation: int
    """EXIF orientation, 1 to 8."""
    format: str
    """Pillow's name of the format."""
    mode: str
    """Pillow's mode."""

    @property
    def upright_size(self) -> tuple[int, int]:
        """(W, H) once it is turned upright."""
        return self.size[::-1] if self.orientation in ON_ITS_SIDE else self.size

    @property
    def words(self) -> str:
        """Size and orientation in words."""
        turned = f" with EXIF orientation {self.orientation}" if self.orientation != UPRIGHT else ""
        return f"{self.size[0]} x {self.size[1]} pixels{turned}"


def pair_masks(
    predictions: Path,
    truth: Path,
    images: Path | None,
    *,
    prediction_suffix: str | None,
    truth_suffix: str | None,
) -> tuple[list[MaskPair], list[str]]:
    """Pairs the masks of two folders by name and reads the header of every file.

    Args:
        predictions: Folder of masks to score.
        truth: Folder of ground truth.
        images: Folder of photographs, or None.
        prediction_suffix: What follows the image's name, for example `_segmentation`; None to find it out.
        truth_suffix: The same for the ground truth.

    Returns:
        The pairs, sorted by id, and a sentence for every fault; pairs with any fault are not to be scored.

    Raises:
        InputError: A folder is missing or has no image files.
    """
    predicted, targets = _by_id(predictions, prediction_suffix), _by_id(truth, truth_suffix)
    photographs = {} if images is None else _by_id(images, "")
    faults = [*_repeated(predicted), *_repeated(targets), *_unsupported(predictions), *_unsupported(truth)]
    faults += [f"{id_}: the ground truth has no prediction" for id_ in sorted(targets.keys() - predicted.keys())]
    faults += [f"{predicted[id_][0]}: no ground truth for it" for id_ in sorted(predicted.keys() - targets.keys())]
    if images is not None:
        faults += [f"{id_}: no photograph in {images}" for id_ in sorted(targets.keys() - photographs.keys())]
    pairs = [
        MaskPair(id_, predicted[id_][0], targets[id_][0], photographs[id_][0] if id_ in photographs else None)
        for id_ in sorted(targets.keys() & predicted.keys())
    ]
    checked = [_with_header(pair, faults) for pair in pairs]
    return checked, faults


def read_decision(path: Path, above: int, setting: str, *, stored_as: int = UPRIGHT) -> NDArray[np.uint8]:
    """Reads a mask file as (H, W) in {0, 1}: lesion where the grey level is above `above`; see `thresholded`.

    Args:
        path: The file.
        above: Grey level, 0 to 254.
        setting: Name of `above` on the command line.
        stored_as: EXIF orientation to undo, so that pixels lie as they are stored; 1 leaves the mask upright.

    Raises:
        InputError: The file cannot be read, or all would be skin in a mask that has two levels.
    """
    return thresholded(as_stored(read_grey(path), stored_as), str(path), above=above, setting=setting)


def orientation_notes(pairs: Sequence[MaskPair]) -> Iterator[str]:
    """Yields sentences about pairs whose EXIF orientations differ, and how they are compared."""
    for upright, what in (
        (False, "are compared as they are stored, as the ISIC challenge's scorer does; if one lies turned, turn it"),
        (True, "fit only when they are turned upright as EXIF says, and are compared so"),
    ):
        named = [
            f"{pair.id}: {pair.orientations[0]} and {pair.orientations[1]}"
            for pair in pairs
            if pair.orientations[0] != pair.orientations[1] and pair.upright == upright
        ]
        if named:
            more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
            listed = f"{', '.join(named[:MOST_NAMED])}{more}"
            yield f"{len(named)} predictions whose EXIF orientation is not their ground truth's ({listed}) {what}"


def _by_id(folder: Path, suffix: str | None) -> dict[str, list[Path]]:
    """Lists the image files of a folder by the image's name."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder.absolute()}")
    paths = [path for path in sorted(folder.iterdir()) if is_readable(path) and not path.name.startswith(".")]
    if not paths:
        raise InputError(f"{folder.absolute()} has no image files; allowed: {readable_text()}")
    stems = [as_read(path.stem) for path in paths]
    affix = shared_affix(stems, MASK_WORDS | PREDICTION_WORDS) if suffix is None else Affix(suffix=as_read(suffix))
    found: dict[str, list[Path]] = {}
    for path, stem in zip(paths, stems, strict=True):
        name = affix.taken_off(stem)
        found.setdefault(stem if name is None else name, []).append(path)
    return found


def _unsupported(folder: Path) -> Iterator[str]:
    """Yields what to do with unreadable pictures that have no readable one of the same name beside them."""
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    readable = {path.stem for path in files if is_readable(path)}
    return (unsupported_text(path) for path in files if is_unsupported(path) and path.stem not in readable)


def _repeated(files: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    for id_, paths in files.items():
        if len(paths) > 1:
            yield f"{' and '.join(path.name for path in paths)} in {paths[0].parent}: both are masks of {id_}"


def _with_header(pair: MaskPair, faults: list[str]) -> MaskPair:
    """Compares the headers of two files; finds out which way up they fit, and adds what is wrong to `faults`."""
    headers = []
    for path in (pair.prediction, pair.truth):
        try:
            headers.append(_read_header(path))
            faults += _format_faults(path, headers[-1])
        except InputError as error:
            faults.append(str(error))
    if len(headers) < 2:
        return pair
    prediction, truth = headers
    upright = prediction.size != truth.size
    if upright and prediction.upright_size != truth.upright_size:
        faults.append(f"{pair.prediction}: is {prediction.words}, its ground truth {truth.words}; save it at that size")
    return replace(pair, orientations=(prediction.orientation, truth.orientation), upright=upright)


def _read_header(path: Path) -> Header:
    """Reads a mask's header.

    Raises:
        InputError: It is no image.
    """
    with opened_image(path) as image:
        quick = image.format == "PNG" and not any(mark in path.read_bytes() for mark in ORIENTATION_MARKS)
        size = image.size  # before Pillow loads a PNG to find its orientation
        orientation = UPRIGHT if quick else exif_orientation(image)
        if image.format == "TIFF" and orientation in ON_ITS_SIDE:
            size = size[::-1]  # Pillow returns the upright size of a TIFF
        return Header(size, orientation, str(image.format), image.mode)


def _format_faults(path: Path, header: Header) -> Iterator[str]:
    if header.format == "JPEG":
        yield f"{path}: is a JPEG, which changes pixels at outlines; save masks as PNG"
    elif header.mode not in SINGLE_CHANNEL:
        yield f"{path}: has mode {header.mode}; allowed: one channel of 1 or 8 bits (Pillow's modes 1 and L)"
