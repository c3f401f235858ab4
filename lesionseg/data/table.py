"""Reading a table from a text file, whatever separates its columns."""

import csv
import io
from pathlib import Path

from lesionseg.data.names import as_read
from lesionseg.errors import InputError

Row = dict[str, str]

SEPARATORS = ",;\t"
WORKBOOKS = {b"PK\x03\x04": "a workbook (.xlsx or .ods)", b"\xd0\xcf\x11\xe0": "a workbook (.xls)"}
"""What files of spreadsheets begin with."""
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_table(path: Path) -> tuple[list[Row], list[str]]:
    """Reads a table separated by commas, semicolons or tabs.

    Args:
        path: A UTF-8 text file with a row of headings; a first line `sep=;`, as Excel takes and writes it, is passed
            over.

    Returns:
        Rows by heading, and the headings; without blanks around them, each accented letter as one character (Unicode's
        NFC). A row that is cut short ends in empty cells, and cells beyond the headings belong to nothing.

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
    """Decodes a file; says of which other kind it is, if that can be told."""
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
    """Returns what divides the headings into most columns; a separator within quotes divides nothing."""

    def columns(separator: str) -> int:
        try:
            return len(next(csv.reader([first_line], delimiter=separator, strict=True), []))
        except csv.Error:  # quotes end elsewhere than at this separator
            return 0

    return max(SEPARATORS, key=lambda separator: (columns(separator), first_line.count(separator)))
