"""Two folders of masks: which belong together, and everything that is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.file_types import is_readable, is_unsupported, readable_text, unsupported_text
from lesionseg.data.image_file import UPRIGHT, as_stored
from lesionseg.data.mask_file import read_grey, thresholded
from lesionseg.data.names import as_read
from lesionseg.data.naming import MASK_WORDS, PREDICTION_WORDS, Affix, shared_affix
from lesionseg.errors import InputError
from lesionseg.evaluation.mask_orientation import Header, read_header, turned_upright

SINGLE_CHANNEL = ("1", "L")
"""Pillow's modes that the ISIC scorer takes."""


@dataclass(frozen=True)
class MaskPair:
    """A prediction, its ground truth and, where given, the photograph."""

    id: str
    prediction: Path
    truth: Path
    image: Path | None
    orientations: tuple[int, int] = (UPRIGHT, UPRIGHT)
    """EXIF's, of prediction and ground truth."""
    upright: bool = False
    """Whether the two are compared turned upright; otherwise as they are stored."""


def pair_masks(
    predictions: Path,
    truth: Path,
    images: Path | None,
    *,
    prediction_suffix: str | None,
    truth_suffix: str | None,
) -> tuple[list[MaskPair], list[str]]:
    """Pairs two folders' masks by name and looks at every file's header.

    Args:
        predictions: Folder of masks to score.
        truth: Folder of ground truth.
        images: Folder of photographs, or None.
        prediction_suffix: What follows the image's name, for example `_segmentation`; None to find it out.
        truth_suffix: Likewise.

    Returns:
        The pairs, sorted by id, and every fault found in words; with any fault the pairs are not to be scored.

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
        above: 0 to 254.
        setting: What the user calls `above`.
        stored_as: EXIF orientation to undo, so that pixels lie as they are stored; 1 leaves the mask upright.

    Raises:
        InputError: The file cannot be read, or all would be skin in a mask that has two levels.
    """
    return thresholded(as_stored(read_grey(path), stored_as), str(path), above=above, setting=setting)


def _by_id(folder: Path, suffix: str | None) -> dict[str, list[Path]]:
    """Lists a folder's image files by the image's name."""
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
    """Yields what to do with pictures that cannot be read and have no readable one of their name beside them."""
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    readable = {path.stem for path in files if is_readable(path)}
    return (unsupported_text(path) for path in files if is_unsupported(path) and path.stem not in readable)


def _repeated(files: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    for id_, paths in files.items():
        if len(paths) > 1:
            yield f"{' and '.join(path.name for path in paths)} in {paths[0].parent}: both are masks of {id_}"


def _with_header(pair: MaskPair, faults: list[str]) -> MaskPair:
    """Looks at two files without decoding them: which way up they fit, and into `faults` whatever is wrong."""
    headers = []
    for path in (pair.prediction, pair.truth):
        try:
            headers.append(read_header(path))
            faults += _format_faults(path, headers[-1])
        except InputError as error:
            faults.append(str(error))
    if len(headers) < 2:
        return pair
    prediction, truth = headers
    upright = turned_upright(prediction, truth)
    if upright is None:
        faults.append(
            f"{pair.prediction}: is {_size(prediction)}, its ground truth {_size(truth)}; save it at that size"
        )
    return replace(pair, orientations=(prediction.orientation, truth.orientation), upright=bool(upright))


def _size(header: Header) -> str:
    turned = f" with EXIF orientation {header.orientation}" if header.orientation != UPRIGHT else ""
    return f"{header.size[0]} x {header.size[1]} pixels{turned}"


def _format_faults(path: Path, header: Header) -> Iterator[str]:
    if header.format == "JPEG":
        yield f"{path}: is a JPEG, which changes pixels at outlines; save masks as PNG"
    elif header.mode not in SINGLE_CHANNEL:
        yield f"{path}: has mode {header.mode}; allowed: one channel of 1 or 8 bits (Pillow's modes 1 and L)"
