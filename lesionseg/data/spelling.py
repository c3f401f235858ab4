r"""Finding images by what a table calls them, however people, spreadsheets and systems have changed the spelling.

A table's name means an image by the first of these rules by which any of its names does:

    1  the same id, but for extension, blanks, kind of slash and Unicode's form (NFC or NFD)
    2  the id without the combined source's name (`ph2/IMD002` is IMD002)
    3  the file without its folders (`C:\images\IMD002.bmp` is IMD002)
    4  other case, where no two images differ by that alone
    5  a number without its leading zeros, which spreadsheets take (0012345, 12345, 12345.0), likewise

A name that means an image by one rule means no other image by a later one. By 4 and 5 it may be one more name of an
image that has another already: `12345` beside `0012345`, in a table that was put together from two.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from lesionseg.data.file_types import is_readable, is_unsupported
from lesionseg.data.names import as_read

Key = Callable[[str], str]


def cleaned(name: str) -> str:
    """Brings a name to rule 1's form. Of a file's name only a picture's extension goes: other dots belong to the id."""
    name = as_read(name).strip().replace("\\", "/")
    return name.rpartition(".")[0] if is_readable(name) or is_unsupported(name) else name


def meanings(ids: Collection[str], names: Iterable[str]) -> dict[str, list[str]]:
    """Finds the names of each image.

    Args:
        ids: Ids of the images.
        names: `cleaned` names in a table.

    Returns:
        Id to the names that mean it, for the ids that any name means. Of several nobody can say which one it is.
    """
    left, images = set(names), {id_: cleaned(id_) for id_ in ids}
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
                found[id_] += [
                    name for name in by_key[key] if name not in (*found[id_], _last(image)) and "/" not in name
                ]
        left -= {name for members in found.values() for name in members}
    return found


def examples(names: Iterable[str]) -> str:
    """Writes the first three for a message."""
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
    """Takes leading zeros and the decimal places of a whole number away; other names stay."""
    number = re.fullmatch(r"0*(\d+?)(?:\.0+)?", _caseless(name))
    return number[1] if number else _caseless(name)


RULES: tuple[tuple[Key, Key, bool], ...] = (
    (str, str, True),
    (_last, str, True),
    (_last, _last, True),
    (_caseless, _caseless, False),
    (_number, _number, False),
)
"""What of an image's id must be what of a name, and whether images that are alike in it are one for that."""
