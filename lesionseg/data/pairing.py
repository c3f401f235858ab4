"""Images find their masks by name, never by position in a listing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from lesionseg.data.file_types import READABLE_SUFFIXES
from lesionseg.data.sample import FilePair
from lesionseg.errors import InputError

PairingKind = Literal["image_without_mask", "mask_without_image", "images_of_one_name", "masks_of_one_name"]


class PairingFault(NamedTuple):
    """A file that belongs to no pair."""

    kind: PairingKind
    id: str
    path: Path
    text: str
    """What was found, in words."""


@dataclass(frozen=True)
class Pairing:
    """What pairs up, sorted by id, and what does not."""

    pairs: Sequence[FilePair]
    faults: Sequence[PairingFault]


def pair_by_stem(
    images: Path,
    masks: Path,
    *,
    mask_suffix: str,
    ignored_suffixes: tuple[str, ...] = (),
) -> Pairing:
    """Pairs the image files of one folder with the mask files of another.

    Args:
        images: Folder of photographs.
        masks: Folder of masks; `IMAGE.jpg` belongs to `IMAGE<mask_suffix>.png`, whatever the two extensions.
        mask_suffix: For example `_segmentation`, in any case; empty when image and mask have the same stem.
        ignored_suffixes: Ends of stems that are no photographs, for example `_superpixels`.

    Returns:
        Pairs whose id is the image's stem. A stem that several images or several masks claim makes no pair.

    Raises:
        InputError: A folder is missing.
    """
    found_images = image_files([images], "", ignored_suffixes)
    found_masks = image_files([masks], mask_suffix, ignored_suffixes)
    return pair_files(found_images, found_masks, mask_suffix=mask_suffix)


def pair_files(
    images: Mapping[str, Sequence[Path]], masks: Mapping[str, Sequence[Path]], *, mask_suffix: str
) -> Pairing:
    """Pairs files that have been listed by stem already; see `pair_by_stem`."""
    stems = sorted(images.keys() & masks.keys())
    whole = [stem for stem in stems if len(images[stem]) == len(masks[stem]) == 1]
    pairs = [FilePair(stem, images[stem][0], masks[stem][0]) for stem in whole]
    return Pairing(pairs, list(_faults(images, masks, mask_suffix)))


def image_files(
    folders: Sequence[Path], suffix: str, ignored_suffixes: tuple[str, ...] = ()
) -> dict[str, Sequence[Path]]:
    """Lists folders' image files by stem less `suffix`; hidden files and other types are no images.

    Raises:
        InputError: A folder is missing.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder.absolute()}; check data.root")
        for path in sorted(folder.iterdir()):
            ignored = path.name.startswith(".") or path.stem.endswith(ignored_suffixes or ("\0",))
            if path.suffix.lower() in READABLE_SUFFIXES and not ignored and path.stem.lower().endswith(suffix.lower()):
                found[path.stem[: len(path.stem) - len(suffix)]].append(path)
    return dict(found)


def _faults(
    images: Mapping[str, Sequence[Path]], masks: Mapping[str, Sequence[Path]], mask_suffix: str
) -> Iterator[PairingFault]:
    for stem in sorted(images.keys() - masks.keys()):
        text = f"{images[stem][0]} has no mask {stem}{mask_suffix}.*"
        yield PairingFault("image_without_mask", stem, images[stem][0], text)
    for stem in sorted(masks.keys() - images.keys()):
        text = f"{masks[stem][0]} has no image {stem}.*"
        yield PairingFault("mask_without_image", stem, masks[stem][0], text)
    several: tuple[tuple[PairingKind, Mapping[str, Sequence[Path]]], ...]
    several = (("images_of_one_name", images), ("masks_of_one_name", masks))
    for kind, files in several:
        for stem, paths in sorted(files.items()):
            if len(paths) > 1:
                text = f"{' and '.join(map(str, paths))} have the same stem; take one of them out"
                yield PairingFault(kind, stem, paths[0], text)
