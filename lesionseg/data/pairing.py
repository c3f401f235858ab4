"""Tells images from masks and pairs them by name, never by position in a listing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lesionseg.data.image_file import opened_image
from lesionseg.data.layout import Picture, pictures_below
from lesionseg.data.names import IMAGE_WORDS, MASK_WORDS, Affix, affixes_around, as_read, word_affixes
from lesionseg.data.naming import AffixNaming, Naming, find_namings, match
from lesionseg.data.source import FaultKind, FilePair, PairingFault
from lesionseg.errors import InputError

LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp"})
"""Types of photographs: of `a.jpg` and `a.png`, the second is the mask."""
GLANCES = 5  # number of files of a folder that are opened to see whether it holds photographs
SMALLEST_SHARE = 1 / 3
"""Least share of masks among files whose names have no word for masks: `a (1).jpg` is no mask of `a.jpg`."""

Paths = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Pairing:
    """Pictures of one subset, told apart and paired.

    Attributes:
        namings: How masks are named, the most frequent first; none if unknown.
        pairs: Pairs sorted by id. An id is the image's stem, with its folders before it if images in several folders
            have one stem. A stem of several images or several masks makes no pair.
        faults: The files without a partner.
    """

    images: Sequence[Picture]
    masks: Sequence[Picture]
    namings: Sequence[Naming]
    pairs: Sequence[FilePair]
    faults: Sequence[PairingFault]


def pair_folders(images: Sequence[Path], masks: Sequence[Path], *, mask_suffix: str) -> Pairing:
    """Pairs the photographs of some folders with the masks of others.

    `IMAGE.jpg` belongs to `IMAGE<mask_suffix>.png`, whatever the two extensions and the case of the suffix; files
    without it are no masks. A folder that holds nothing but another one, as after unpacking twice, stands for the
    inner one.

    Raises:
        InputError: A folder is missing.
    """
    naming = AffixNaming(Affix(suffix=mask_suffix))
    found = [picture for folder in masks for picture in _outermost(folder)]
    return _paired(
        [picture for folder in images for picture in _outermost(folder)],
        [picture for picture in found if naming.of_mask(picture) is not None],
        [naming],
    )


def _outermost(folder: Path) -> list[Picture]:
    """Lists the readable pictures of a folder that are the fewest folders away."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder.absolute()}; check data.root")
    found = [picture for picture in pictures_below(folder) if picture.is_readable]
    depth = min((len(picture.folders) for picture in found), default=0)
    return [replace(picture, folders=()) for picture in found if len(picture.folders) == depth]


def pair_pictures(pictures: Sequence[Picture], *, given: Naming | None, known: Sequence[Naming]) -> Pairing:
    """Tells images from masks, by the folders if they name both roles, and pairs them.

    If folders name only one role, all other pictures have the other one. If they name none, or there are no others,
    the names of the files decide. Without a `given` naming, one is found out; those of other subsets are `known`.
    """

    def namings_of(images: Sequence[Picture], masks: Sequence[Picture]) -> Sequence[Naming]:
        if given is not None:
            return [given]
        return find_namings(images, masks, [naming for naming in known if isinstance(naming, AffixNaming)])

    images, masks, others = ([picture for picture in pictures if picture.role == r] for r in ("image", "mask", None))
    if masks:
        images = images or others
        return _paired(images, masks, namings_of(images, masks))
    if images and others and (namings := namings_of(images, others)):
        return _paired(images, others, namings)
    everything = [*images, *others]
    for chosen in _mask_choices(everything, given):
        masks = [picture for picture in everything if picture in chosen]
        images = [picture for picture in everything if picture not in chosen]
        if images and masks and (namings := namings_of(images, masks)):
            return _paired(images, masks, namings)
    return _paired(everything, [], [given] if given else [])


def _mask_choices(pictures: Sequence[Picture], given: Naming | None) -> Iterator[set[Picture]]:
    """Yields which of the files may be the masks, the likeliest choice first."""
    if given is not None and given != AffixNaming():
        yield {picture for picture in pictures if given.of_mask(picture) is not None}
        return
    if given is None:
        yield {picture for picture in pictures if any(word_affixes(picture.stem, MASK_WORDS))}
    for choice in _wordless_choices(pictures, given):
        if len(choice) >= len(pictures) * SMALLEST_SHARE:
            yield choice


def _wordless_choices(pictures: Sequence[Picture], given: Naming | None) -> Iterator[set[Picture]]:
    yield _of_another_type(pictures, lambda picture: (picture.path.parent, picture.stem))
    yield _of_another_type(pictures, lambda picture: picture.stem)
    if given is None:
        yield {picture for picture in pictures if not any(word_affixes(picture.stem, IMAGE_WORDS))}
        yield _with_common_affix(pictures)
    yield from _in_grey_folder(pictures)


def _of_another_type(pictures: Sequence[Picture], name_of: Callable[[Picture], Hashable]) -> set[Picture]:
    """Finds the files `a.png` whose only namesake is an `a.jpg`."""
    namesakes: defaultdict[Hashable, list[Picture]] = defaultdict(list)
    for picture in pictures:
        namesakes[name_of(picture)].append(picture)
    pairs = [pair for pair in namesakes.values() if len(pair) == 2 and sum(p.suffix in LOSSY for p in pair) == 1]
    return {picture for pair in pairs for picture in pair if picture.suffix not in LOSSY}


def _with_common_affix(pictures: Sequence[Picture]) -> set[Picture]:
    """Finds the files with the most frequent affix around the names of others."""
    stems = {picture.stem for picture in pictures}
    affixes = {picture: affix for picture in pictures for affix in affixes_around(picture.stem, stems)}
    common = Counter(affixes.values()).most_common(1)
    return {picture for picture, affix in affixes.items() if affix == common[0][0]} if common else set()


def _in_grey_folder(pictures: Sequence[Picture]) -> Iterator[set[Picture]]:
    """Yields the files of the one of two folders whose pictures have no colour; reads a few files."""
    folders: defaultdict[Path, list[Picture]] = defaultdict(list)
    for picture in pictures:
        folders[picture.path.parent].append(picture)
    if len(folders) == 2:
        grey = [set(files) for files in folders.values() if not any(map(_has_colour, files[:GLANCES]))]
        yield from grey if len(grey) == 1 else ()


def _has_colour(picture: Picture) -> bool:
    try:
        with opened_image(picture.path) as image:
            return image.mode not in ("1", "L", "P", "LA") and not image.mode.startswith("I")
    except InputError:
        return False


def _paired(images: Sequence[Picture], masks: Sequence[Picture], namings: Sequence[Naming]) -> Pairing:
    """Pairs images with masks by the first naming that fits."""
    tried = namings or [AffixNaming()]
    ids = _ids(images)
    found: defaultdict[str, list[Path]] = defaultdict(list)
    left = dict(enumerate(masks))
    for naming in tried:
        for id_, numbers in match(naming, images, ids, left).items():
            found[id_] += [left.pop(number).path for number in numbers]
    taken = {*ids, *found}
    for mask in left.values():
        name = next((name for naming in tried if (name := naming.of_mask(mask))), mask.stem)
        names = (name, as_read("_".join([*mask.folders, name])), str(mask.path))
        found[next(name for name in names if name not in taken)].append(mask.path)
    by_id: defaultdict[str, list[Path]] = defaultdict(list)
    for image, id_ in zip(images, ids, strict=True):
        by_id[id_].append(image.path)
    masks_by_id = {id_: sorted(paths) for id_, paths in found.items()}
    whole = [id_ for id_ in sorted(by_id.keys() & found.keys()) if len(by_id[id_]) == len(found[id_]) == 1]
    pairs = [FilePair(id_, by_id[id_][0], masks_by_id[id_][0]) for id_ in whole]
    return Pairing(images, masks, namings, pairs, list(_faults(by_id, masks_by_id, tried[0])))


def _ids(images: Sequence[Picture]) -> list[str]:
    """Returns the stem of each image, with its folders if any image needs them to be told apart."""
    stems = [image.stem for image in images]
    if len(set(stems)) == len({(image.folders, image.stem) for image in images}):
        return stems
    return [as_read("_".join([*image.folders, image.stem])) for image in images]


def _faults(images: Paths, masks: Paths, naming: Naming) -> Iterator[PairingFault]:
    for id_ in sorted(images.keys() - masks.keys()):
        path = images[id_][0]
        yield PairingFault("image_without_mask", id_, path, f"{path} has no mask {naming.mask_of(as_read(path.stem))}")
    for id_ in sorted(masks.keys() - images.keys()):
        yield PairingFault("mask_without_image", id_, masks[id_][0], f"{masks[id_][0]} has no image {id_}.*")
    several: tuple[tuple[FaultKind, Paths], ...] = (("images_of_one_name", images), ("masks_of_one_name", masks))
    for kind, files in several:
        for id_, paths in sorted(files.items()):
            if len(paths) > 1:
                text = f"{' and '.join(map(str, paths))} have the same stem; take one of them out"
                yield PairingFault(kind, id_, paths[0], text)
