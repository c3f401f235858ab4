"""How a mask is named after its image: given by the user, or found out from the names themselves."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from lesionseg.data.names import as_read
from lesionseg.errors import InputError


def words(text: str) -> frozenset[str]:
    """Makes a set of words, for tables of them."""
    return frozenset(text.split())


MASK_WORDS = words(
    "mask masks msk label labels annotation annotations annotated gt ground truth groundtruth seg segs segm segmented "
    "segmentation segmentations contour contours outline target lesion lesions"
)
"""What people call a mask, in file names."""
PREDICTION_WORDS = words("prediction predictions predicted pred preds")
"""What a mask is called that a model has made."""
IMAGE_WORDS = words("image images img imgs photo photos photograph photographs original input rgb")
"""What people call a photograph, in file names."""
BEHIND_ONLY = words("lesion lesions")
"""`IMD002_lesion` is the mask of `IMD002`, but `lesion_002` may show one."""
CHANNEL = "_0000"
"""nnU-Net's ending of an image's name, which its mask's has not."""
PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+|[\W_]+")
"""Words (of camel case too), numbers and what is between them."""
SAMPLE = 200
"""Masks from whose names an unknown affix is found out."""
MOST_TRIED = 4
"""Affixes of each kind that are tried, the most frequent first."""
MOST_NAMINGS = 4
"""Ways of naming in one set of masks; nobody has more."""


class Named(Protocol):
    """A file, and the folders that tell it from others of its name."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def stem(self) -> str:
        """Stem of its name, see `as_read`."""

    @property
    def suffix(self) -> str:
        """Suffix of its name, in lower case."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of folders."""


class Naming(Protocol):
    """A way of naming masks."""

    def of_image(self, file: Named) -> str | None:
        """Returns what an image's file name has in common with its mask's; None where it is no such name."""

    def of_mask(self, file: Named) -> str | None:
        """Returns what a mask's file name has in common with its image's; None where it is no such name."""

    def mask_of(self, stem: str) -> str:
        """Words what the mask of an image with this stem is called."""


@dataclass(frozen=True)
class Affix:
    """What stands before and behind a name, in any case."""

    prefix: str = ""
    suffix: str = ""

    def taken_off(self, stem: str) -> str | None:
        """Returns the stem without it, or None where the stem has it not."""
        begin, end = len(self.prefix), len(stem) - len(self.suffix)
        fits = (
            begin <= end and stem[:begin].lower() == self.prefix.lower() and stem[end:].lower() == self.suffix.lower()
        )
        return stem[begin:end] if fits else None

    def around(self, name: str) -> str:
        """Returns a name with it."""
        return f"{self.prefix}{name}{self.suffix}"

    def has_word(self, of: Collection[str]) -> bool:
        """Tells whether it says what the file is."""
        return any(piece.lower() in of for piece in PIECES.findall(f"{self.prefix} {self.suffix}"))


PLAIN = Affix()


@dataclass(frozen=True)
class AffixNaming:
    """Image and mask have the same name but for what stands around it."""

    mask: Affix = PLAIN
    image: Affix = PLAIN

    def of_image(self, file: Named) -> str | None:
        """Takes off what an image has around the name."""
        return self.image.taken_off(file.stem)

    def of_mask(self, file: Named) -> str | None:
        """Takes off what a mask has around the name."""
        return self.mask.taken_off(file.stem)

    def mask_of(self, stem: str) -> str:
        """Puts around the name what a mask has there."""
        name = self.image.taken_off(stem)
        return f"{self.mask.around(stem if name is None else name)}.*"

    def __str__(self) -> str:
        """Words it for people."""
        if self.image != PLAIN:
            return f"'{self.mask.around('NAME')}' for the image '{self.image.around('NAME')}'"
        before = f"'{self.mask.prefix}' + " if self.mask.prefix else ""
        return f"{before}same name" + (f" + '{self.mask.suffix}'" if self.mask.suffix else "")


@dataclass(frozen=True)
class PatternNaming:
    """A mask's file name follows a pattern, in any case: `{name}` is its image's name, `*` any letters.

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

    def of_image(self, file: Named) -> str | None:
        """Returns an image's whole name; a file that is a mask by the pattern is no image."""
        return file.stem

    def of_mask(self, file: Named) -> str | None:
        """Returns what stands in the place of `{name}`."""
        literal = (re.escape(piece) for piece in re.split(r"(\{name\}|\*)", as_read(self.pattern)))
        regex = "".join(literal).replace(r"\{name\}", "(.+)").replace(r"\*", ".*")
        found = re.fullmatch(regex, file.stem + (file.suffix if "." in self.pattern else ""), re.IGNORECASE)
        return found[1] if found else None

    def mask_of(self, stem: str) -> str:
        """Puts the name into the pattern."""
        return self.pattern.replace("{name}", stem)

    def __str__(self) -> str:
        """Words it for people."""
        return f"'{self.pattern}'"


def word_affixes(stem: str, of: Collection[str]) -> Iterator[Affix]:
    """Yields what stands behind and before a name and consists of certain words: `_ground_truth`, `mask-`."""
    pieces = PIECES.findall(stem)
    behind = len(_run(reversed(pieces), of))
    if behind:
        yield Affix(suffix=stem[len(stem) - behind :])
    before = len(_run(pieces, frozenset(of) - BEHIND_ONLY))
    if before and before < len(stem):
        yield Affix(prefix=stem[:before])


def _run(pieces: Iterable[str], of: Collection[str]) -> str:
    """Joins the first pieces that are words or stand between them; nothing where no word is among them."""
    run: list[str] = []
    for piece in pieces:
        if piece.lower() not in of and (piece.isalnum() or (run and not run[-1].isalnum())):
            break
        run.append(piece)
    return "".join(run) if any(piece.isalnum() for piece in run) else ""


def shared_affix(stems: Sequence[str], of: Collection[str]) -> Affix:
    """Finds the affix of certain words that all names have; nothing where they have not."""
    found = word_affixes(stems[0], of) if stems else ()
    return next((affix for affix in found if all(affix.taken_off(stem) for stem in stems)), PLAIN)


def find_namings(
    images: Sequence[Named], masks: Sequence[Named], known: Sequence[AffixNaming] = ()
) -> list[AffixNaming]:
    """Finds how masks are named after their images.

    Of the ways that the names suggest, the one that makes most pairs is taken, then another for the other masks. An
    affix that says nothing of masks must make pairs of half the files: by chance, `x12` holds the name `12`.

    Args:
        images: Photographs.
        masks: Masks.
        known: Ways that are right already, for example those of another part of the set.

    Returns:
        None, one or a few, the most frequent first.
    """
    found: list[AffixNaming] = []
    tried = list(dict.fromkeys([*known, *_candidates(images, masks)]))
    needed = max(2, min(len(images), len(masks)) / 2)
    while masks and len(found) < MOST_NAMINGS:
        best, pairs = _best(tried, images, masks)
        is_clear = best in known or best.mask == PLAIN or best.mask.has_word(MASK_WORDS) or len(pairs) >= needed
        if not pairs or not is_clear:
            break
        found.append(best)
        done = {number for _, number in pairs}
        masks = [mask for number, mask in enumerate(masks) if number not in done]
    return found


def _best(
    tried: Sequence[AffixNaming], images: Sequence[Named], masks: Sequence[Named]
) -> tuple[AffixNaming, list[tuple[int, int]]]:
    """Returns the naming that makes most pairs, with them; the first of several, at once if it leaves no file."""
    best: tuple[AffixNaming, list[tuple[int, int]]] = AffixNaming(), []
    for naming in tried:
        pairs = partners(naming, images, masks)
        if len(pairs) > len(best[1]):
            best = naming, pairs
        if len(pairs) == min(len(images), len(masks)):
            break
    return best


def partners(naming: Naming, images: Sequence[Named], masks: Sequence[Named]) -> list[tuple[int, int]]:
    """Pairs images and masks by their numbers; none where several masks, or several images, claim each other."""
    index = NameIndex((file.folders, naming.of_image(file), number) for number, file in enumerate(images))
    claims = index.claims((file.folders, naming.of_mask(file), number) for number, file in enumerate(masks))
    return [(image, numbers[0]) for image, numbers in claims.items() if len(numbers) == 1]


Value = TypeVar("Value", bound=Hashable)
Mask = TypeVar("Mask")
Entry = tuple[tuple[str, ...], str | None, Value]
"""Folders, name (None for none) and what they stand for."""
KeyOf = Callable[[tuple[str, ...], str], Hashable]
KEYS: tuple[KeyOf, ...] = (
    lambda folders, name: (folders, name),
    lambda folders, name: name,
    lambda folders, name: (folders, name.lower()),
    lambda folders, name: name.lower(),
)
"""What a file is found by, the surest first."""


class NameIndex(Generic[Value]):
    """Finds images by folders and name; else by a name that is the only one of its kind, then in any case.

    Args:
        entries: Entries of the images; several with one value are one.
    """

    def __init__(self, entries: Iterable[Entry[Value]]) -> None:
        self._entries = [(folders, name, value) for folders, name, value in entries if name is not None]
        self._values: dict[KeyOf, dict[Hashable, Value | None]] = {}

    def claims(self, masks: Iterable[Entry[Mask]]) -> dict[Value, list[Mask]]:
        """Finds the masks that fit each value best."""
        claims: dict[Value, list[Mask]] = {}
        left = [(folders, name, mask) for folders, name, mask in masks if name is not None]
        for key_of in KEYS if self._entries else ():
            values, lonely = self._by(key_of), []
            found: defaultdict[Value, list[Mask]] = defaultdict(list)
            for folders, name, mask in left:
                value = values.get(key_of(folders, name))
                if value is None:
                    lonely.append((folders, name, mask))
                elif value not in claims:
                    found[value].append(mask)
            claims |= found
            left = lonely
            if not left:
                break
        return claims

    def _by(self, key_of: KeyOf) -> dict[Hashable, Value | None]:
        """Finds the value of each key, None where there are several."""
        if key_of not in self._values:
            values: dict[Hashable, Value | None] = {}
            for folders, name, value in self._entries:
                key = key_of(folders, name)
                values[key] = value if values.get(key, value) == value else None
            self._values[key_of] = values
        return self._values[key_of]


def _candidates(images: Sequence[Named], masks: Sequence[Named]) -> Iterator[AffixNaming]:
    """Yields ways of naming that the names suggest, the simplest first."""
    image_stems, mask_stems = ([file.stem for file in files] for files in (images, masks))
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


def affixes_around(stem: str, names: Collection[str]) -> Iterator[Affix]:
    """Yields what is left of a name around the longest of some other names in it, if it is set apart from that."""
    for length in range(len(stem) - 1, 0, -1):
        for begin in range(len(stem) - length + 1):
            end = begin + length
            if stem[begin:end] in names and _is_apart(stem, begin) and _is_apart(stem, end):
                yield Affix(stem[:begin], stem[end:])
                return


def _is_apart(text: str, place: int) -> bool:
    """Tells whether a word or number ends at a place in a text."""
    if place in (0, len(text)):
        return True
    before, behind = text[place - 1], text[place]
    return not (before.isalpha() and behind.isalpha()) and not (before.isdigit() and behind.isdigit())
