"""Reading groups of images, such as diagnosis, sex or age, from a table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.file_types import READABLE_SUFFIXES
from lesionseg.data.table import Row, read_table
from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.strata import UNKNOWN

MOST_NUMBERS = 8
"""A column with more distinct numbers is cut into quartiles."""
FEWEST_GROUPS, MOST_GROUPS = 2, 12
"""So many groups make a column worth a table of its own."""
NOTHING = frozenset({"", "unknown", "na", "n/a", "nan", "null", "?"})
"""What people write into a cell, in any case, when they do not know."""


def read_metadata(
    path: Path, *, id_column: str, columns: list[str] | None, ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Reads each image's groups from a table separated by commas, semicolons or tabs.

    A cell is a group. Columns with more than 8 distinct numbers are cut into quartiles of these images, each named by
    its least and greatest number: `35 to 50`.

    Args:
        path: A text file with a row of headings.
        id_column: Holds the image's id, with or without an extension.
        columns: The columns to read; None for all that divide these images into 2 to 12 groups.
        ids: The images. `ph2/IMD002` finds the row of that id or else that of `IMD002`.

    Returns:
        For each of the ids, column to group; `unknown` where the table has no row or nothing in the cell.

    Raises:
        InputError: The file is missing or no such table, a column is missing, an id stands for rows that differ, or
            none of the ids is in the table.
    """
    rows, headings = read_table(path)
    wanted = [heading for heading in headings if heading != id_column] if columns is None else columns
    missing = [column for column in (id_column, *wanted) if column not in headings]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}; found: {', '.join(headings)}")
    table = _by_id(path, rows, id_column, wanted)
    found = {image_id: _row(table, image_id) for image_id in ids}
    if ids and not any(found.values()):
        raise InputError(
            f"{path}: no row's {id_column} is one of the images; the table has {_examples(table)}; "
            f"the images are {_examples(ids)}"
        )
    groups = {column: _groups([found[image_id].get(column, UNKNOWN) for image_id in ids]) for column in wanted}
    kept = [column for column in wanted if columns is not None or _divides(groups[column])]
    return {image_id: {column: groups[column][place] for column in kept} for place, image_id in enumerate(ids)}


def _cell(text: str) -> str:
    return UNKNOWN if text.lower() in NOTHING else text


def _by_id(path: Path, rows: Iterable[Row], id_column: str, wanted: Sequence[str]) -> dict[str, Row]:
    """Finds each id's row; a repeated row is harmless, one that says something else is not."""
    table: dict[str, Row] = {}
    contradictions: dict[str, None] = {}
    for row in rows:
        image_id = _stem(_cell(row[id_column]))
        values = {column: _cell(row[column]) for column in wanted}
        if image_id != UNKNOWN and table.setdefault(image_id, values) != values:
            contradictions[image_id] = None
    raise_all(f"{path}: these ids have several rows that differ; leave one of each:", list(contradictions))
    return table


def _row(table: Mapping[str, Row], image_id: str) -> Row:
    """Looks an image up by its whole id, or else by the last part of it; empty where it has no row."""
    for name in (_stem(image_id), _stem(PurePosixPath(image_id).name)):
        if name in table:
            return table[name]
    return {}


def _stem(name: str) -> str:
    """Takes an image's extension off; other dots belong to the id."""
    suffix = PurePosixPath(name).suffix
    return name[: -len(suffix)] if suffix.lower() in READABLE_SUFFIXES else name


def _groups(cells: list[str]) -> list[str]:
    """Returns a column's cells as they are, or as quartiles where they are many numbers."""
    known = {cell for cell in cells if cell != UNKNOWN}
    numbers = {cell: number for cell in known if (number := _number(cell)) is not None}
    if len(numbers) < len(known) or len(set(numbers.values())) <= MOST_NUMBERS:
        return cells
    return _quartiles([numbers.get(cell) for cell in cells])


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _quartiles(numbers: Sequence[float | None]) -> list[str]:
    """Names each number's quartile; equal numbers stay together, so that there may be fewer than four."""
    known = np.array([number for number in numbers if number is not None])
    limits = np.quantile(known, (0.25, 0.5, 0.75))
    places = np.searchsorted(limits, known)  # a limit itself belongs to the quartile that it closes
    names = {place: _span(known[places == place]) for place in set(places.tolist())}
    return [UNKNOWN if number is None else names[int(np.searchsorted(limits, number))] for number in numbers]


def _span(numbers: NDArray[np.float64]) -> str:
    low, high = float(numbers.min()), float(numbers.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _divides(groups: Iterable[str]) -> bool:
    return FEWEST_GROUPS <= len(set(groups) - {UNKNOWN}) <= MOST_GROUPS


def _examples(names: Iterable[str]) -> str:
    """Names the first three for a message."""
    names = list(names)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "none"
