"""Reads tables about images: patients, lesions and everything else that is known of each."""

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lesionseg.data.names import as_read, canonical, examples, match_names
from lesionseg.data.source import Listing
from lesionseg.errors import InputError, raise_all

Row = dict[str, str]

SEPARATORS = ",;\t"
WORKBOOKS = {b"PK\x03\x04": "a workbook (.xlsx or .ods)", b"\xd0\xcf\x11\xe0": "a workbook (.xls)"}
"""First bytes of spreadsheets' own files."""
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UNKNOWN = frozenset({"", "unknown", "na", "n/a", "nan", "null", "?"})
"""Cells without a value, in lower case."""


def with_groups(listing: Listing, table: Path, *, id_column: str, group_column: str) -> Listing:
    """Returns a listing whose samples have the groups of a table; the others are listed as `ungrouped`.

    Args:
        listing: Samples of all parts.
        table: See `read_metadata`.
        id_column: Column of the image's id.
        group_column: Column of the lesion or the patient; a cell that is empty or says `unknown` names none.

    Raises:
        InputError: The table does not fit, or names no image's group.
    """
    ids = [sample.id for sample in listing.samples()]
    rows = read_metadata(table, id_column=id_column, columns=[group_column], ids=ids)
    groups = {id_: row[group_column] for id_, row in rows.items() if row[group_column]}
    if ids and not groups:
        raise InputError(f"{table}: its column {group_column} is empty for all {len(ids)} images")
    parts = {
        part: [replace(sample, group=groups.get(sample.id)) for sample in samples]
        for part, samples in listing.parts.items()
    }
    return replace(listing, parts=parts, ungrouped=[id_ for id_ in ids if id_ not in groups])


def read_metadata(path: Path, *, id_column: str, columns: Sequence[str] | None, ids: Collection[str]) -> dict[str, Row]:
    """Reads what a table says of images.

    Args:
        path: See `read_table`.
        id_column: Column of the image's id or file, in any spelling that `lesionseg.data.names.match_names` finds.
        columns: Columns to read; None for all others.
        ids: Ids of the images.

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
    """Reads a table separated by commas, semicolons or tabs.

    Args:
        path: UTF-8 text file with a row of headings. A first line `sep=;`, as Excel writes it, is skipped.

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
