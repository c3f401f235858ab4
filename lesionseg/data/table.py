"""Reading a table from a text file, whatever separates its columns."""

import csv
from pathlib import Path

from lesionseg.errors import InputError

Row = dict[str, str]


def read_table(path: Path) -> tuple[list[Row], list[str]]:
    """Reads a table separated by commas, semicolons or tabs.

    Args:
        path: A UTF-8 text file with a row of headings.

    Returns:
        Rows by heading, and the headings; without blanks around them. A row that is cut short ends in empty cells, and
        cells beyond the headings belong to nothing.

    Raises:
        InputError: The file is missing or is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first_line = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first_line.count))
            headings = [heading.strip() for heading in next(reader, [])]
            empty = dict.fromkeys(headings, "")
            rows = [empty | dict(zip(headings, map(str.strip, cells), strict=False)) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    return rows, headings
