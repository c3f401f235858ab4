"""How masks are named after their images: given by the user, or found out from the names."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from lesionseg.data.layout import Picture
from lesionseg.data.names import PIECES, as_read, words
from lesionseg.errors import InputError

MASK_WORDS = words(
    "mask masks msk label labels annotation annotations annotated gt ground truth groundtruth seg segs segm segmented "
    "segmentation segmentations contour contours outline target lesion lesions"
)
"""Words for masks in file names."""
PREDICTION_WORDS = words("prediction predictions predicted pred preds")
"""Words for masks of a model in file names."""
IMAGE_WORDS = words("image images img imgs photo photos photograph photographs original input rgb")
"""Words for photographs in file names."""
SUFFIXES_ONLY = words("lesion lesions")
"""Mask words that are no prefixes: `IMD002_lesion` is the mask of `IMD002`, but `lesion_002` may show one."""
CHANNEL = "_0000"
"""nnU-Net's suffix of images, which its masks lack."""
SAMPLE = 200
"""Number of masks from whose names affixes are found."""
MOST_TRIED = 4
"""Number of affixes of each kind that are tried, the most frequent first."""
MOST_NAMINGS = 4
"""Number of namings in one set of masks."""


class Naming(Protocol):
    """A way of naming masks."""

    def of_image(self, picture: Picture) -> str | None:
        """Returns what an image's name shares with its mask's, or None if the name does not fit."""

    def of_mask(self, picture: Picture) -> str | None:
        """Returns what a mask's name shares with its image's, or None if the name does not fit."""

    def mask_of(self, stem: str) -> str:
        """Describes the name of an image's mask."""


@dataclass(frozen=True)
class Affix:
    """Prefix and suffix of a name, in any case."""

    prefix: str = ""
    suffix: str = ""

    def taken_off(self, stem: str) -> str | None:
        """Returns the stem without the affix, or None if the stem lacks it."""
        begin, end = len(self.prefix), len(stem) - len(self.suffix)
        fits = (
            begin <= end and stem[:begin].lower() == self.prefix.lower() and stem[end:].lower() == self.suffix.lower()
        )
        return stem[begin:end] if fits else None

    def around(self, name: str) -> str:
        """Returns a name with the affix."""
        return f"{self.prefix}{name}{self.suffix}"

    def has_word(self, of: Collection[str]) -> bool:
        """Tells whether the affix contains one of some words."""
        return any(piece.lower() in of for piece in PIECES.findall(f"{self.prefix} {self.suffix}"))


PLAIN = Affix()


@dataclass(frozen=True)
class AffixNaming:
    """Image and mask share a name, each with an affix of its own."""

    mask: Affix = PLAIN
    image: Affix = PLAIN

    def of_image(self, picture: Picture) -> str | None:
        """Removes the image's affix."""
        return self.image.taken_off(picture.stem)

    def of_mask(self, picture: Picture) -> str | None:
        """Removes the mask's affix."""
        return self.mask.taken_off(picture.stem)

    def mask_of(self, stem: str) -> str:
        """Replaces the image's affix by the mask's."""
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
        literal = (re.escape(piece) for piece in re.split(r"(\{name\}|\*)", as_read(self.pattern)))
        regex = "".join(literal).replace(r"\{name\}", "(.+)").replace(r"\*", ".*")
        found = re.fullmatch(regex, picture.stem + (picture.suffix if "." in self.pattern else ""), re.IGNORECASE)
        return found[1] if found else None

    def mask_of(self, stem: str) -> str:
        """Puts the stem into the pattern."""
        return self.pattern.replace("{name}", stem)

    def __str__(self) -> str:
        """Describes the naming for people."""
        return f"'{self.pattern}'"


def word_affixes(stem: str, of: Collection[str]) -> Iterator[Affix]:
    """Yields the suffix and the prefix of a stem that consist of certain words: `_ground_truth`, `mask-`."""
    pieces = PIECES.findall(stem)
    behind = _leading_words(reversed(pieces), of)
    if behind:
        yield Affix(suffix=stem[len(stem) - behind :])
    before = _leading_words(pieces, frozenset(of) - SUFFIXES_ONLY)
    if 0 < before < len(stem):
        yield Affix(prefix=stem[:before])


def _leading_words(pieces: Iterable[str], of: Collection[str]) -> int:
    """Returns the length of the first pieces that are words or separate them; 0 without a word."""
    leading: list[str] = []
    for piece in pieces:
        if piece.lower() not in of and (piece.isalnum() or (leading and not leading[-1].isalnum())):
            break
        leading.append(piece)
    return sum(map(len, leading)) if any(piece.isalnum() for piece in leading) else 0


def shared_affix(stems: Sequence[str], of: Collection[str]) -> Affix:
    """Returns the affix of certain words that all stems have, or an empty one."""
    found = word_affixes(stems[0], of) if stems else ()
    return next((affix for affix in found if all(affix.taken_off(stem) for stem in stems)), PLAIN)


def affixes_around(stem: str, names: Collection[str]) -> Iterator[Affix]:
    """Yields the affix around the longest of some names in a stem, if it is separate from the name."""
    for length in range(len(stem) - 1, 0, -1):
        for begin in range(len(stem) - length + 1):
            end = begin + length
            if stem[begin:end] in names and _is_border(stem, begin) and _is_border(stem, end):
                yield Affix(stem[:begin], stem[end:])
                return


def _is_border(text: str, place: int) -> bool:
    """Tells whether a word or number ends at a place in a text."""
    if place in (0, len(text)):
        return True
    before, behind = text[place - 1], text[place]
    return not (before.isalpha() and behind.isalpha()) and not (before.isdigit() and behind.isdigit())


def find_namings(
    images: Sequence[Picture], masks: Sequence[Picture], known: Sequence[AffixNaming] = ()
) -> list[AffixNaming]:
    """Finds how masks are named after their images.

    The naming that makes most pairs is chosen, then another one for the remaining masks, and so on. An affix without a
    word for masks must pair half of the files, because `x12` contains the name `12` by chance.

    Args:
        images: Photographs.
        masks: Masks.
        known: Namings that are certain, for example those of another part of the data.

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
    for image in of_images:
        names = {name for stem in image_stems if (name := image.taken_off(stem))}
        step = max(1, len(mask_stems) // SAMPLE)
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
    for naming in tried:
        claims = match(naming, images, list(range(len(images))), dict(enumerate(masks)))
        paired = {numbers[0] for numbers in claims.values() if len(numbers) == 1}
        if len(paired) > len(best[1]):
            best = naming, paired
        if len(paired) == min(len(images), len(masks)):
            break
    return best


Value = TypeVar("Value", bound=Hashable)
KEYS: tuple[Callable[[tuple[str, ...], str], Hashable], ...] = (
    lambda folders, name: (folders, name),
    lambda folders, name: name,
    lambda folders, name: (folders, name.lower()),
    lambda folders, name: name.lower(),
)
"""What image and mask must have in common, the strictest first. A key of several images stands for none."""


def match(
    naming: Naming, images: Sequence[Picture], values: Sequence[Value], masks: dict[int, Picture]
) -> dict[Value, list[int]]:
    """Finds the masks of each image by folders and name, else by a unique name, else the same in any case.

    Args:
        naming: How masks are named.
        images: Photographs.
        values: What stands for each image; images of equal values are one.
        masks: Masks by number.

    Returns:
        Numbers of the masks that fit best, by image; several if they fit equally well.
    """
    named = [(image.folders, naming.of_image(image), value) for image, value in zip(images, values, strict=True)]
    entries = [(folders, name, value) for folders, name, value in named if name is not None]
    left = [
        (mask.folders, name, number) for number, mask in masks.items() if (name := naming.of_mask(mask)) is not None
    ]
    claims: dict[Value, list[int]] = {}
    for key_of in KEYS:
        if not left or not entries:
            break
        by_key: dict[Hashable, Value | None] = {}
        for folders, name, value in entries:
            key = key_of(folders, name)
            by_key[key] = value if by_key.get(key, value) == value else None
        found: defaultdict[Value, list[int]] = defaultdict(list)
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
