"""Rules that name masks after their images: given by the user, or detected from the names."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lesionseg.data.layout import Picture
from lesionseg.data.names import IMAGE_WORDS, MASK_WORDS, PLAIN, Affix, affixes_around, as_read, word_affixes
from lesionseg.errors import InputError

CHANNEL = "_0000"  # nnU-Net's suffix of images, which its masks lack
SAMPLE = 200  # number of masks from whose names affixes are found
MOST_TRIED = 4  # number of affixes of each kind that are tried, the most frequent first
MOST_NAMINGS = 4  # number of namings in one set of masks


@dataclass(frozen=True)
class AffixNaming:
    """Image and mask share a name, each with an affix of its own."""

    mask: Affix = PLAIN
    image: Affix = PLAIN

    def of_image(self, picture: Picture) -> str | None:
        """Returns what an image's name shares with its mask's, or None if the name does not fit."""
        return self.image.taken_off(picture.stem)

    def of_mask(self, picture: Picture) -> str | None:
        """Returns what a mask's name shares with its image's, or None if the name does not fit."""
        return self.mask.taken_off(picture.stem)

    def mask_of(self, stem: str) -> str:
        """Describes the name of an image's mask."""
        name = self.image.taken_off(stem)
        return f"{self.mask.around(stem if name is None else name)}.*"

    def __str__(self) -> str:
        """Describes the naming for people."""
        if self.image != PLAIN:
            return f"'{self.mask.around('NAME')}' for the image '{self.image.around('NAME')}'"
        before = f"'{self.mask.prefix}' + " if self.mask.prefix else ""
        return f"{before}same name" + (f" + '{self.mask.suffix}'" if self.mask.suffix else "")


@dataclass(frozen=True)
class PatternNaming:
    """A mask's file name follows a pattern, in any case: `{name}` is its image's stem, `*` is any text.

    Its methods are those of `AffixNaming`.

    Raises:
        InputError: The pattern has no `{name}`, or several, or names folders.
    """

    pattern: str

    def __post_init__(self) -> None:
        """Checks the pattern."""
        if self.pattern.count("{name}") != 1 or "/" in self.pattern:
            raise InputError(
                f"data.mask_pattern is {self.pattern}; allowed: a mask's file name in which {{name}} stands for its "
                "image's name and * for any letters, for example {name}_mask.*; folders are data.masks"
            )

    def of_image(self, picture: Picture) -> str | None:
        """Returns the whole stem."""
        return picture.stem

    def of_mask(self, picture: Picture) -> str | None:
        """Returns the text in the place of `{name}`."""
        regex = re.escape(as_read(self.pattern)).replace(r"\{name\}", "(.+)").replace(r"\*", ".*")
        found = re.fullmatch(regex, picture.stem + (picture.suffix if "." in self.pattern else ""), re.IGNORECASE)
        return found[1] if found else None

    def mask_of(self, stem: str) -> str:
        """Puts the stem into the pattern."""
        return self.pattern.replace("{name}", stem)

    def __str__(self) -> str:
        """Describes the naming for people."""
        return f"'{self.pattern}'"


Naming = AffixNaming | PatternNaming


def find_namings(
    images: Sequence[Picture], masks: Sequence[Picture], known: Sequence[AffixNaming] = ()
) -> list[AffixNaming]:
    """Finds how masks are named after their images.

    The naming that makes most pairs is chosen, then another one for the remaining masks, and so on. An affix without a
    word for masks must pair half of the files, because `x12` contains the name `12` by chance. Namings in `known`, for
    example those of another subset of the data, are certain.

    Returns:
        No naming, one or a few, the most frequent first.
    """
    found: list[AffixNaming] = []
    tried = list(dict.fromkeys([*known, *_candidates(images, masks)]))
    needed = max(2, min(len(images), len(masks)) / 2)
    while masks and len(found) < MOST_NAMINGS:
        best, paired = _best(tried, images, masks)
        is_clear = best in known or best.mask == PLAIN or best.mask.has_word(MASK_WORDS) or len(paired) >= needed
        if not paired or not is_clear:
            break
        found.append(best)
        masks = [mask for number, mask in enumerate(masks) if number not in paired]
    return found


def _candidates(images: Sequence[Picture], masks: Sequence[Picture]) -> Iterator[AffixNaming]:
    """Yields the namings that the names suggest, the simplest first."""
    image_stems, mask_stems = ([picture.stem for picture in pictures] for pictures in (images, masks))
    of_images = [PLAIN, *_frequent(affix for stem in image_stems for affix in word_affixes(stem, IMAGE_WORDS))]
    of_images += [Affix(suffix=CHANNEL)] if any(stem.endswith(CHANNEL) for stem in image_stems) else []
    by_word = [PLAIN, *_frequent(affix for stem in mask_stems for affix in word_affixes(stem, MASK_WORDS))]
    step = max(1, len(mask_stems) // SAMPLE)
    for image in of_images:
        names = {name for stem in image_stems if (name := image.taken_off(stem))}
        around = _frequent(affix for stem in mask_stems[::step] for affix in affixes_around(stem, names))
        for mask in dict.fromkeys([*by_word, *around]):
            yield AffixNaming(mask, image)


def _frequent(affixes: Iterable[Affix]) -> list[Affix]:
    return [affix for affix, _ in Counter(affixes).most_common(MOST_TRIED)]


def _best(
    tried: Sequence[AffixNaming], images: Sequence[Picture], masks: Sequence[Picture]
) -> tuple[AffixNaming, set[int]]:
    """Returns the first naming that pairs most masks, with their numbers; stops at one that leaves no file."""
    best: tuple[AffixNaming, set[int]] = AffixNaming(), set()
    ids = [str(image.path) for image in images]
    for naming in tried:
        claims = match(naming, images, ids, dict(enumerate(masks)))
        paired = {numbers[0] for numbers in claims.values() if len(numbers) == 1}
        if len(paired) > len(best[1]):
            best = naming, paired
        if len(paired) == min(len(images), len(masks)):
            break
    return best


KEYS: tuple[Callable[[tuple[str, ...], str], Hashable], ...] = (
    lambda folders, name: (folders, name),
    lambda folders, name: name,
    lambda folders, name: (folders, name.lower()),
    lambda folders, name: name.lower(),
)
"""Keys that image and mask may share, the strictest first. A key of several images counts for none."""


def match(
    naming: Naming, images: Sequence[Picture], ids: Sequence[str], masks: Mapping[int, Picture]
) -> dict[str, list[int]]:
    """Finds the masks of each image by folders and name, else by a unique name, else the same in any case.

    Images of one id are one.

    Returns:
        Numbers of the masks that fit best, by the image's id; several if they fit equally well.
    """
    named = [(image.folders, naming.of_image(image), id_) for image, id_ in zip(images, ids, strict=True)]
    entries = [(folders, name, id_) for folders, name, id_ in named if name is not None]
    left = [
        (mask.folders, name, number) for number, mask in masks.items() if (name := naming.of_mask(mask)) is not None
    ]
    claims: dict[str, list[int]] = {}
    for key_of in KEYS:
        by_key: dict[Hashable, str | None] = {}
        for folders, name, id_ in entries:
            key = key_of(folders, name)
            by_key[key] = id_ if by_key.get(key, id_) == id_ else None
        found: defaultdict[str, list[int]] = defaultdict(list)
        remaining = []
        for folders, name, number in left:
            claimed = by_key.get(key_of(folders, name))
            if claimed is None:
                remaining.append((folders, name, number))
            elif claimed not in claims:
                found[claimed].append(number)
        claims |= found
        left = remaining
    return claims
