"""Names of files and images: how they are compared, found in tables, and given by public archives."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from lesionseg.data.file_types import is_readable, is_unsupported

Key = Callable[[str], str]

PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+|[\W_]+")
"""Pieces of a name: words (of camel case too), numbers, and what separates them."""
LITTER = frozenset({"__MACOSX", "@eaDir"})
"""Folders that macOS's archives and file servers add."""
ARCHIVE_IMAGES = re.compile(r"(ISIC_\d{7})(?:_downsampled)?|(IMD\d{3})", re.IGNORECASE)
"""Images of the ISIC archive, some of which ISIC 2019 has at a smaller size, and of PH2."""
ARCHIVE_GROUPS = re.compile(r"HAM_\d{7}|I[LP]_\d{7}", re.IGNORECASE)
"""Lesions of HAM10000, and lesions and patients of the ISIC archive."""


def as_read(name: str) -> str:
    """Returns a name in Unicode's NFC form.

    macOS, Linux, Windows and tables differ in whether an accented letter is one character or two.
    """
    return unicodedata.normalize("NFC", name)


def words(text: str) -> frozenset[str]:
    """Returns the words of a text as a set, for tables of words."""
    return frozenset(text.split())


def words_of(name: str) -> set[str]:
    """Returns the words of a name in lower case: `ISIC2018_TestSet` has isic, test and set."""
    return {piece.lower() for piece in PIECES.findall(name) if piece.isalpha()}


def archive_image(id_: str) -> str | None:
    """Returns the name of an image in its public archive, which all sources share, or None for any other image.

    Data sets share images under one name although some crop, resize or outline them differently, so names find
    duplicates that pictures do not.

    Args:
        id_: Id of a sample, also of a combined source (`ph2/IMD002`).
    """
    match = ARCHIVE_IMAGES.fullmatch(id_.rpartition("/")[2])
    return (match[1] or match[2]).upper() if match else None


def archive_group(group: str) -> str | None:
    """Returns the name of a lesion or patient in its public archive, or None for any other group."""
    return group.upper() if ARCHIVE_GROUPS.fullmatch(group) else None


def canonical(name: str) -> str:
    """Returns a name without blanks, kinds of slash and a picture's extension; other dots belong to the id."""
    name = as_read(name).strip().replace("\\", "/")
    return name.rpartition(".")[0] if is_readable(name) or is_unsupported(name) else name


def match_names(ids: Collection[str], names: Iterable[str]) -> dict[str, list[str]]:
    r"""Finds the names of each image in a table, however people, spreadsheets and systems have changed the spelling.

    A name stands for an image by the first of these rules that fits, and for no other image by a later one:

        1  the same id, except for extension, blanks, kind of slash and Unicode form
        2  the id without the name of its combined source (`ph2/IMD002` is IMD002)
        3  the file without its folders (`C:\images\IMD002.bmp` is IMD002)
        4  another case, unless two images differ by that alone
        5  a number without leading zeros, which spreadsheets remove (0012345, 12345, 12345.0), on the same condition

    By the last two, an image may get one more name, as `12345` beside `0012345` in a table merged from two.

    Args:
        ids: Ids of the images.
        names: `canonical` names in the table.

    Returns:
        Id to names, for the ids with any. If there are several, nothing tells which one is meant.
    """
    left, images = set(names), {id_: canonical(id_) for id_ in ids}
    found: dict[str, list[str]] = {}
    for of_image, of_name, is_strict in RULES:
        by_key = _by_key(left, of_name)
        alike = _by_key({_last(image) for image in images.values()}, of_image)
        for id_, image in images.items():
            key = of_image(image)
            if key not in by_key or not (is_strict or len(alike[of_image(_last(image))]) == 1):
                continue
            if id_ not in found:
                found[id_] = sorted(by_key[key])
            elif not is_strict:
                known = (*found[id_], _last(image))
                found[id_] += [name for name in by_key[key] if name not in known and "/" not in name]
        left -= {name for members in found.values() for name in members}
    return found


def examples(names: Iterable[str]) -> str:
    """Lists the first three names for a message."""
    first: Sequence[str] = list(names)
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "") if first else "none"


def _by_key(names: Iterable[str], key: Key) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return groups


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _caseless(name: str) -> str:
    return _last(name).casefold()


def _number(name: str) -> str:
    """Removes leading zeros and zero decimals of a number; other names stay."""
    number = re.fullmatch(r"0*(\d+?)(?:\.0+)?", _caseless(name))
    return number[1] if number else _caseless(name)


RULES: tuple[tuple[Key, Key, bool], ...] = (
    (str, str, True),
    (_last, str, True),
    (_last, _last, True),
    (_caseless, _caseless, False),
    (_number, _number, False),
)
"""Key of an image's id, key of a name that must equal it, and whether the rule holds for images with equal keys too."""
