"""Reading what a table says of each image: one reader for patients, lesions and everything else."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from lesionseg.data.spelling import cleaned, examples, meanings
from lesionseg.data.table import Row, read_table
from lesionseg.errors import InputError, raise_all

NOTHING = frozenset({"", "unknown", "na", "n/a", "nan", "null", "?"})
"""What people write into a cell, in any case, when they do not know."""


def read_metadata(path: Path, *, id_column: str, columns: Sequence[str] | None, ids: Collection[str]) -> dict[str, Row]:
    """Reads columns of a table separated by commas, semicolons or tabs.

    Args:
        path: A text file with a row of headings.
        id_column: Holds the image's id, or its file; see `lesionseg.data.spelling` for what counts as the same.
        columns: The columns to read; None for all but that of the ids.
        ids: The images.

    Returns:
        Column to cell, for each image that the table has; a cell that is empty or says `unknown` or the like is "".

    Raises:
        InputError: The file is missing or no such table, lacks a column, says two things of one image, or has none of
            the images.
    """
    rows, headings = read_table(path)
    wanted = [heading for heading in headings if heading != id_column] if columns is None else list(columns)
    missing = [column for column in (id_column, *wanted) if column not in headings]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}; found: {', '.join(headings)}")
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not _is_nothing(row[id_column]):
            by_name[cleaned(row[id_column])].append(row)
    names = meanings(ids, by_name)
    if ids and not names:
        raise InputError(_no_match(path, id_column, ids, rows, headings))
    found = {id_: [row for name in names[id_] for row in by_name[name]] for id_ in ids if id_ in names}
    _check(path, id_column, wanted, {**by_name, **found})
    return {id_: {column: next(iter(_values(rows, column)), "") for column in wanted} for id_, rows in found.items()}


def _is_nothing(cell: str) -> bool:
    return cell.lower() in NOTHING


def _values(rows: Sequence[Row], column: str) -> list[str]:
    """Lists what rows say in a column, each thing once; an empty cell says nothing."""
    return list(dict.fromkeys(row[column] for row in rows if not _is_nothing(row[column])))


def _check(path: Path, id_column: str, wanted: Sequence[str], rows_of: Mapping[str, Sequence[Row]]) -> None:
    """Raises where rows of one image differ; a repeated row is harmless."""
    findings: dict[str, None] = {}
    for rows in rows_of.values():
        sayings = {column: _values(rows, column) for column in wanted}
        differing = [f"{column} {' or '.join(values)}" for column, values in sayings.items() if len(values) > 1]
        if differing:
            findings[f"{' = '.join(_values(rows, id_column))}: {'; '.join(differing)}"] = None
    raise_all(f"{path}: some images have several rows that differ; leave one of each:", list(findings))


def _no_match(path: Path, id_column: str, ids: Collection[str], rows: Sequence[Row], headings: Sequence[str]) -> str:
    """Says that the table has none of the images, how both are spelled, and which column would do."""
    columns = {heading: _values(rows, heading) for heading in headings}
    named = {heading: len(meanings(ids, map(cleaned, cells))) for heading, cells in columns.items()}
    best = max(named, key=lambda heading: named[heading])
    hint = f"; its column {best} names {named[best]} of them" if 2 * named[best] >= len(ids) else ""
    return (
        f"{path}: no row's {id_column} is one of the {len(ids)} images; the table has {examples(columns[id_column])}; "
        f"the images are {examples(ids)}{hint}"
    )
