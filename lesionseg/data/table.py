"""Reads tables about images: patients, lesions and everything else that is known of each."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lesionseg.data.names import as_read, examples, is_readable, is_unsupported
from lesionseg.data.source import Listing
from lesionseg.errors import InputError, raise_all

Row = dict[str, str]
Key = Callable[[str], str]

SEPARATORS = ",;\t"
WORKBOOKS = {b"PK\x03\x04": "a workbook (.xlsx or .ods)", b"\xd0\xcf\x11\xe0": "a workbook (.xls)"}
"""First bytes of spreadsheets' own files."""
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UNKNOWN = frozenset({"", "unknown", "na", "n/a", "nan", "null", "?"})  # cells without a value, in lower case


def with_groups(listing: Listing, table: Path, *, id_column: str, group_column: str) -> Listing:
    """Returns a listing whose samples have the lesions or patients of a table; the others are `ungrouped`.

    Raises:
        InputError: The table does not fit, or names no image's group.
    """
    ids = [sample.id for sample in listing.samples()]
    rows = read_metadata(table, id_column=id_column, columns=[group_column], ids=ids)
    groups = {id_: row[group_column] for id_, row in rows.items() if row[group_column]}
    if ids and not groups:
        raise InputError(f"{table}: its column {group_column} is empty for all {len(ids)} images")
    subsets = {
        subset: [replace(sample, group=groups.get(sample.id)) for sample in samples]
        for subset, samples in listing.subsets.items()
    }
    return replace(listing, subsets=subsets, ungrouped=[id_ for id_ in ids if id_ not in groups])


def read_metadata(path: Path, *, id_column: str, columns: Sequence[str] | None, ids: Collection[str]) -> dict[str, Row]:
    """Reads what a table says of images in some columns, or in all.

    The column of the image's id or file may have any spelling that `match_names` finds.

    Returns:
        Column to cell, for each image that the table has; a cell that is empty or says `unknown` or the like is "".

    Raises:
        InputError: The table cannot be read, lacks a column, has none of the images, or has rows of one image that
            differ.
    """
    rows, headings = read_table(path)
    wanted = [heading for heading in headings if heading != id_column] if columns is None else list(columns)
    missing = [column for column in (id_column, *wanted) if column not in headings]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}; found: {', '.join(headings)}")
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[id_column].lower() not in UNKNOWN:
            by_name[canonical(row[id_column])].append(row)
    names = match_names(ids, by_name)
    if ids and not names:
        raise InputError(_mismatch_text(path, id_column, ids, rows, headings))
    found = {id_: [row for name in names[id_] for row in by_name[name]] for id_ in ids if id_ in names}
    _require_agreement(path, id_column, wanted, {**by_name, **found})
    return {id_: {column: next(iter(_values(rows, column)), "") for column in wanted} for id_, rows in found.items()}


def _values(rows: Sequence[Row], column: str) -> list[str]:
    """Lists the distinct values of a column."""
    return list(dict.fromkeys(row[column] for row in rows if row[column].lower() not in UNKNOWN))


def _require_agreement(path: Path, id_column: str, wanted: Sequence[str], rows_of: Mapping[str, Sequence[Row]]) -> None:
    findings: dict[str, None] = {}
    for rows in rows_of.values():
        values = {column: _values(rows, column) for column in wanted}
        differing = [f"{column} {' or '.join(found)}" for column, found in values.items() if len(found) > 1]
        if differing:
            findings[f"{' = '.join(_values(rows, id_column))}: {'; '.join(differing)}"] = None
    raise_all(f"{path}: some images have several rows that differ; leave one of each:", list(findings))


def _mismatch_text(path: Path, id_column: str, ids: Collection[str], rows: Sequence[Row], headings: list[str]) -> str:
    """Says how table and images are spelled, and which column would fit."""
    columns = {heading: _values(rows, heading) for heading in headings}
    named = {heading: len(match_names(ids, map(canonical, cells))) for heading, cells in columns.items()}
    best = max(named, key=lambda heading: named[heading])
    hint = f"; its column {best} names {named[best]} of them" if 2 * named[best] >= len(ids) else ""
    return (
        f"{path}: no row's {id_column} is one of the {len(ids)} images; the table has {examples(columns[id_column])}; "
        f"the images are {examples(ids)}{hint}"
    )


def read_table(path: Path) -> tuple[list[Row], list[str]]:
    """Reads a UTF-8 text file of columns separated by commas, semicolons or tabs, with a row of headings.

    A first line `sep=;`, as Excel writes it, is skipped.

    Returns:
        Rows by heading, and the headings, stripped and in Unicode's NFC form. A short row ends in empty cells; cells
        beyond the headings are dropped.

    Raises:
        InputError: The file is missing or is no such table.
    """
    try:
        lines = _text(path.read_bytes()).splitlines(keepends=True)
        if lines and lines[0].lower().startswith("sep="):
            lines = lines[1:]
        reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=_separator(lines[0] if lines else ""))
        headings = [heading.strip() for heading in next(reader, [])]
        empty = dict.fromkeys(headings, "")
        rows = [empty | dict(zip(headings, map(str.strip, cells), strict=False)) for cells in reader if cells]
    except (OSError, csv.Error, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    if len(headings) == 1:
        raise InputError(
            f"{path}: has a single column, {headings[0][:60]!r}; columns are told apart by commas, semicolons or tabs"
        )
    return rows, headings


def _text(content: bytes) -> str:
    """Decodes a file; raises `ValueError` that names another kind of file."""
    advice = "save it as UTF-8 (spreadsheets call that 'CSV UTF-8')"
    for beginning, kind in WORKBOOKS.items():
        if content.startswith(beginning):
            raise ValueError(f"it is {kind}; save the sheet as a text file, 'CSV UTF-8'")
    if content.startswith(UTF_16_MARKS) or b"\0" in content[:1000]:  # without its mark, every other byte is 0
        raise ValueError(f"it is UTF-16, or no text at all; {advice}")
    try:
        return as_read(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise ValueError(f"line {line} has the byte 0x{byte:02X}, as in Windows-1252 or Latin-1; {advice}") from error


def _separator(first_line: str) -> str:
    """Returns the separator that makes most columns of the headings, quotes respected."""

    def columns(separator: str) -> int:
        try:
            return len(next(csv.reader([first_line], delimiter=separator, strict=True), []))
        except csv.Error:  # quotes end elsewhere than at this separator
            return 0

    return max(SEPARATORS, key=lambda separator: (columns(separator), first_line.count(separator)))


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

    By the last two, an image may get one more name, as `12345` beside `0012345` in a table merged from two. The names
    of the table are `canonical`.

    Returns:
        Id to names, for the ids with any. If there are several, nothing tells which one is meant.
    """
    left, images = set(names), {id_: canonical(id_) for id_ in ids}
    found: dict[str, list[str]] = {}
    for of_image, of_name, is_strict in MATCHING_RULES:
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


MATCHING_RULES: tuple[tuple[Key, Key, bool], ...] = (
    (str, str, True),
    (_last, str, True),
    (_last, _last, True),
    (_caseless, _caseless, False),
    (_number, _number, False),
)
"""Key of an image's id, key of a name that must equal it, and whether the rule holds for images with equal keys too."""
