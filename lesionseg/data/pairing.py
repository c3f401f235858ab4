"""Images find their masks by name, never by position in a listing."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from lesionseg.data.file_types import is_readable
from lesionseg.data.names import as_read
from lesionseg.data.naming import Affix, AffixNaming, Named, NameIndex, Naming
from lesionseg.data.sample import FilePair
from lesionseg.errors import InputError

PairingKind = Literal[
    "image_without_mask", "mask_without_image", "images_of_one_name", "masks_of_one_name", "masks_named_otherwise"
]


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
    return _paired(images, masks, AffixNaming(Affix(suffix=mask_suffix)).mask_of)


def pair_by_naming(
    images: Sequence[Named],
    masks: Sequence[Named],
    namings: Sequence[Naming],
) -> Pairing:
    """Pairs images with masks in any folders, by how masks are named.

    Args:
        images: Photographs.
        masks: Masks.
        namings: Ways that masks are named, the first that fits counts; at least one.

    Returns:
        Pairs whose id is the image's stem, with the names of its folders before it where images in several folders
        have one stem.
    """
    ids = _ids(images)
    found: defaultdict[str, list[Path]] = defaultdict(list)
    left = dict(enumerate(masks))
    for naming in namings:
        index = NameIndex((image.folders, naming.of_image(image), id_) for image, id_ in zip(images, ids, strict=True))
        claims = index.claims((mask.folders, naming.of_mask(mask), number) for number, mask in left.items())
        for id_, numbers in claims.items():
            found[id_] += [left.pop(number).path for number in numbers]
    taken = {*ids, *found}
    for mask in left.values():
        name = next((name for naming in namings if (name := naming.of_mask(mask))), mask.stem)
        found[_free(name, mask, taken)].append(mask.path)
    by_id: defaultdict[str, list[Path]] = defaultdict(list)
    for image, id_ in zip(images, ids, strict=True):
        by_id[id_].append(image.path)
    return _paired(by_id, {id_: sorted(paths) for id_, paths in found.items()}, namings[0].mask_of)


def _ids(images: Sequence[Named]) -> list[str]:
    """Names each image by its stem, or by its folders too if that is needed to tell any of them apart."""
    stems = [image.stem for image in images]
    if len(set(stems)) == len({(image.folders, image.stem) for image in images}):
        return stems
    return [as_read("_".join([*image.folders, image.stem])) for image in images]


def _free(name: str, mask: Named, taken: set[str]) -> str:
    """Names a mask without an image, as no other is named."""
    names = (name, as_read("_".join([*mask.folders, name])), str(mask.path))
    return next(name for name in names if name not in taken)


def _paired(
    images: Mapping[str, Sequence[Path]],
    masks: Mapping[str, Sequence[Path]],
    mask_of: Callable[[str], str],
) -> Pairing:
    """Pairs files by their id; `mask_of` says what an image's mask is called."""
    ids = sorted(images.keys() & masks.keys())
    whole = [id_ for id_ in ids if len(images[id_]) == len(masks[id_]) == 1]
    pairs = [FilePair(id_, images[id_][0], masks[id_][0]) for id_ in whole]
    return Pairing(pairs, list(_faults(images, masks, mask_of)))


def image_files(
    folders: Sequence[Path], suffix: str, ignored_suffixes: tuple[str, ...] = ()
) -> dict[str, Sequence[Path]]:
    """Lists folders' image files by stem less `suffix`; hidden files and other types are no images.

    Of a folder that holds nothing but another folder, as unpacking twice leaves it, that one is looked into.

    Raises:
        InputError: A folder is missing.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"There is no folder {folder.absolute()}; check data.root")
        for path in _visible(innermost(folder)):
            name = Affix(suffix=suffix).taken_off(as_read(path.stem))
            if is_readable(path) and name is not None and not path.stem.endswith(ignored_suffixes or ("\0",)):
                found[name].append(path)
    return dict(found)


def innermost(folder: Path) -> Path:
    """Goes into a folder as long as it holds nothing but one other folder."""
    inner = _visible(folder)
    return innermost(inner[0]) if len(inner) == 1 and inner[0].is_dir() else folder


def _visible(folder: Path) -> list[Path]:
    """Lists what is in a folder, sorted; nothing that is hidden or that an archive leaves."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "__MACOSX")


def _faults(
    images: Mapping[str, Sequence[Path]], masks: Mapping[str, Sequence[Path]], mask_of: Callable[[str], str]
) -> Iterator[PairingFault]:
    for stem in sorted(images.keys() - masks.keys()):
        text = f"{images[stem][0]} has no mask {mask_of(as_read(images[stem][0].stem))}"
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
