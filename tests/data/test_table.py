"""Tables of people's own making are read whatever separates their columns."""

from pathlib import Path

import pytest

from lesionseg.data.table import read_table
from lesionseg.errors import InputError


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_separator_and_blanks_are_read(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(separator.join(["id ", " sex"]) + "\n" + separator.join([" a", "f "]) + "\n", encoding="utf-8-sig")
    assert read_table(path) == ([{"id": "a", "sex": "f"}], ["id", "sex"])


def test_short_rows_end_in_empty_cells_and_long_ones_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,sex\na\nb,m,more\n\n")
    assert read_table(path)[0] == [{"id": "a", "sex": ""}, {"id": "b", "sex": "m"}]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    for path in (tmp_path / "nowhere.csv", tmp_path / "picture.png"):
        with pytest.raises(InputError, match="cannot be read as a table"):
            read_table(path)
