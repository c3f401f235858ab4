"""Which picture files are images and which are their masks, by their folders and their names."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionseg.data.image_file import opened_image
from lesionseg.data.layout import Place
from lesionseg.data.naming import (
    IMAGE_WORDS,
    MASK_WORDS,
    AffixNaming,
    Naming,
    affixes_around,
    find_namings,
    word_affixes,
)
from lesionseg.errors import InputError

LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".webp"})
"""Suffixes of photographs: of `a.jpg` and `a.png`, the mask is the one without such a suffix."""
GLANCES = 5
"""Files of a folder that are opened to see whether it holds photographs."""


@dataclass(frozen=True)
class Arrangement:
    """What is what in one part of a set.

    Attributes:
        images: Photographs.
        masks: Masks.
        namings: How masks are named after images, the most frequent first; none where that is not known.
        passed_over: Pictures that are neither.
    """

    images: Sequence[Place]
    masks: Sequence[Place]
    namings: Sequence[Naming]
    passed_over: Sequence[Place] = ()


def arrange(places: Sequence[Place], *, given: Naming | None, known: Sequence[Naming] = ()) -> Arrangement:
    """Tells images from masks.

    The folders decide where they say so. Where they name only one of the two, all other pictures are the other one;
    where they name neither, or there is nothing else, the files' names decide.

    Args:
        places: The picture files.
        given: How masks are named, by the user; None to find out.
        known: Ways of naming that other parts of the set have.
    """
    images, masks, others = ([place for place in places if place.role == role] for role in ("image", "mask", None))
    if images and masks:
        return Arrangement(images, masks, _namings(images, masks, given, known), others)
    if masks:
        return Arrangement(others, masks, _namings(others, masks, given, known))
    if images and others and (namings := _namings(images, others, given, known)):
        return Arrangement(images, others, namings)
    return _by_names([*images, *others], given, known)


def _namings(
    images: Sequence[Place], masks: Sequence[Place], given: Naming | None, known: Sequence[Naming]
) -> list[Naming]:
    if given is not None:
        return [given]
    return list(find_namings(images, masks, [naming for naming in known if isinstance(naming, AffixNaming)]))


def _by_names(places: Sequence[Place], given: Naming | None, known: Sequence[Naming]) -> Arrangement:
    """Tells images from masks in one flat folder of both; all are images where the names do not tell."""
    for masks in _mask_choices(places, given):
        images = [place for place in places if place not in masks]
        namings = _namings(images, list(masks), given, known) if images and masks else []
        if namings:
            return Arrangement(images, [place for place in places if place in masks], namings)
    return Arrangement(places, [], [])


def _mask_choices(places: Sequence[Place], given: Naming | None) -> list[set[Place]]:
    """Lists which of the files may be the masks, the likeliest choice first.

    Names without a word for masks must say it of a third of the files: `a (1).jpg` is no mask of `a.jpg`.
    """
    if given is not None and given != AffixNaming():
        return [{place for place in places if given.of_mask(place) is not None}]
    choices = [
        _of_another_type(places, lambda place: (place.path.parent, place.stem)),
        _of_another_type(places, lambda place: place.stem),
    ]
    by_word: set[Place] = set()
    if given is None:
        by_word = {place for place in places if any(word_affixes(place.stem, MASK_WORDS))}
        no_images = {place for place in places if not any(word_affixes(place.stem, IMAGE_WORDS))}
        choices += [no_images, _by_affix(places)]
    choices = [masks for masks in [*choices, *_in_folders_without_colour(places)] if len(masks) >= len(places) / 3]
    return [by_word, *choices]


def _of_another_type(places: Sequence[Place], name_of: Callable[[Place], Hashable]) -> set[Place]:
    """Finds the files `a.png` whose only namesake is an `a.jpg`."""
    namesakes: defaultdict[Hashable, list[Place]] = defaultdict(list)
    for place in places:
        namesakes[name_of(place)].append(place)
    pairs = [pair for pair in namesakes.values() if len(pair) == 2 and sum(map(_is_lossy, pair)) == 1]
    return {place for pair in pairs for place in pair if not _is_lossy(place)}


def _is_lossy(place: Place) -> bool:
    return place.suffix in LOSSY


def _in_folders_without_colour(places: Sequence[Place]) -> Iterator[set[Place]]:
    """Yields the files in the one of two folders whose pictures have no colour; only this reads files."""
    folders: defaultdict[Path, list[Place]] = defaultdict(list)
    for place in places:
        folders[place.path.parent].append(place)
    if len(folders) == 2:
        grey = [set(files) for files in folders.values() if not any(map(_has_colour, files[:GLANCES]))]
        yield from grey if len(grey) == 1 else ()


def _has_colour(place: Place) -> bool:
    try:
        with opened_image(place.path) as image:
            return image.mode not in ("1", "L", "P", "LA") and not image.mode.startswith("I")
    except InputError:
        return False


def _by_affix(places: Sequence[Place]) -> set[Place]:
    """Finds the files that have one same affix around the names of others."""
    stems = {place.stem for place in places}
    affixes = {place: affix for place in places for affix in affixes_around(place.stem, stems)}
    common = Counter(affixes.values()).most_common(1)
    return {place for place, affix in affixes.items() if affix == common[0][0]} if common else set()
