"""Two folders of masks: which belong together, and everything that is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.file_types import is_readable, readable_text
from lesionseg.data.image_file import opened_image, read_grey
from lesionseg.data.mask_levels import decided
from lesionseg.data.names import as_read
from lesionseg.data.naming import MASK_WORDS, PREDICTION_WORDS, Affix, shared_affix
from lesionseg.errors import InputError

SINGLE_CHANNEL = ("1", "L")
"""Pillow's modes that the ISIC scorer takes."""


@dataclass(frozen=True)
class MaskPair:
    """A prediction, its ground truth and, where given, the photograph."""

    id: str
    prediction: Path
    truth: Path
    image: Path | None


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
    faults = [*_repeated(predicted), *_repeated(targets)]
    faults += [f"{id_}: the ground truth has no prediction" for id_ in sorted(targets.keys() - predicted.keys())]
    faults += [f"{predicted[id_][0]}: no ground truth for it" for id_ in sorted(predicted.keys() - targets.keys())]
    if images is not None:
        faults += [f"{id_}: no photograph in {images}" for id_ in sorted(targets.keys() - photographs.keys())]
    pairs = [
        MaskPair(id_, predicted[id_][0], targets[id_][0], photographs[id_][0] if id_ in photographs else None)
        for id_ in sorted(targets.keys() & predicted.keys())
    ]
    for pair in pairs:
        faults += _header_faults(pair)
    return pairs, faults


def read_decision(path: Path, above: int, setting: str) -> NDArray[np.uint8]:
    """Reads a mask file as (H, W) in {0, 1}: lesion where the grey level is above `above`; see `decided`.

    Raises:
        InputError: The file cannot be read, or all would be skin in a mask that has two levels.
    """
    return decided(read_grey(path), str(path), above=above, setting=setting)


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


def _repeated(files: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    for id_, paths in files.items():
        if len(paths) > 1:
            yield f"{' and '.join(path.name for path in paths)} in {paths[0].parent}: both are masks of {id_}"


def _header_faults(pair: MaskPair) -> list[str]:
    """Compares two files' headers without decoding them."""
    faults: list[str] = []
    sizes = []
    for path in (pair.prediction, pair.truth):
        try:
            with opened_image(path) as image:
                sizes.append(image.size)
                faults += _format_faults(path, image)
        except InputError as error:
            faults.append(str(error))
    if len(set(sizes)) > 1:
        found, wanted = (f"{width} x {height}" for width, height in sizes)
        faults.append(f"{pair.prediction}: is {found} pixels, its ground truth {wanted}; save it at that size")
    return faults


def _format_faults(path: Path, image: Image.Image) -> Iterator[str]:
    if image.format == "JPEG":
        yield f"{path}: is a JPEG, which changes pixels at outlines; save masks as PNG"
    elif image.mode not in SINGLE_CHANNEL:
        yield f"{path}: has mode {image.mode}; allowed: one channel of 1 or 8 bits (Pillow's modes 1 and L)"
