"""Reading groups of images, such as diagnosis, sex or age, from a table."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionseg.data.table import read_metadata
from lesionseg.evaluation.strata import UNKNOWN

MOST_NUMBERS = 8
"""A column with more distinct numbers is cut into quartiles."""
FEWEST_GROUPS, MOST_GROUPS = 2, 12
"""So many groups make a column worth a table of its own."""


def read_strata(
    path: Path, *, id_column: str, columns: Sequence[str] | None, ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Reads each image's groups from a table.

    A cell is a group. Columns with more than 8 distinct numbers are cut into quartiles of these images, each named by
    its least and greatest number: `35 to 50`.

    Args:
        path: See `lesionseg.data.table.read_metadata`.
        id_column: Likewise.
        columns: The columns to read; None for all that divide these images into 2 to 12 groups.
        ids: The images.

    Returns:
        For each of the ids that the table has, column to group; `unknown` where the cell says nothing.

    Raises:
        InputError: As `read_metadata`.
    """
    rows = read_metadata(path, id_column=id_column, columns=columns, ids=ids)
    found = list(dict.fromkeys(column for row in rows.values() for column in row))
    groups = {column: _groups([row[column] or UNKNOWN for row in rows.values()]) for column in found}
    kept = [column for column in found if columns is not None or _divides(groups[column])]
    return {id_: {column: groups[column][place] for column in kept} for place, id_ in enumerate(rows)}


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
