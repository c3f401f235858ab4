"""Reading which lesion or patient each image shows from a table."""

from pathlib import Path

from lesionseg.data.file_types import READABLE_SUFFIXES
from lesionseg.data.table import read_table
from lesionseg.errors import InputError


def read_groups(path: Path, *, id_column: str, group_column: str) -> dict[str, str]:
    """Reads a group for each image from a table separated by commas, semicolons or tabs.

    Args:
        path: A text file with a row of headings.
        id_column: Holds the image's id, with or without an extension.
        group_column: Holds the lesion or the patient; an empty cell puts the image into no group.

    Raises:
        InputError: The file is missing, is no such table, or lacks a column.
    """
    rows, headings = read_table(path)
    missing = [column for column in (id_column, group_column) if column not in headings]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}; found: {', '.join(headings)}")
    return {_stem(row[id_column]): row[group_column] for row in rows if row[id_column] and row[group_column]}


def _stem(name: str) -> str:
    """Takes an image's extension off; other dots belong to the id."""
    path = Path(name)
    return path.stem if path.suffix.lower() in READABLE_SUFFIXES else name
