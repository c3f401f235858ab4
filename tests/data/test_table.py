"""Tables of people's own making are read whatever separates their columns; what cannot be read says why."""

import codecs
import unicodedata
from pathlib import Path

import pytest

from lesionseg.data.table import read_table
from lesionseg.errors import InputError


def write(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_separator_and_blanks_are_read(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, f"id {separator} sex\n a{separator}f \n".encode())
    assert read_table(path) == ([{"id": "a", "sex": "f"}], ["id", "sex"])


def test_the_mark_that_excel_puts_first_is_no_part_of_a_heading(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id;lesion_id\nä;Läsion 1\n".encode("utf-8-sig"))
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    assert read_table(path) == ([{"image_id": "ä", "lesion_id": "Läsion 1"}], ["image_id", "lesion_id"])


def test_the_line_in_which_excel_names_the_separator_is_passed_over(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, b"sep=;\r\nid;sex\r\na;f\r\n")) == ([{"id": "a", "sex": "f"}], ["id", "sex"])


def test_quoted_cells_may_hold_separators(tmp_path: Path) -> None:
    path = write(tmp_path, b'"id, as filed";"note, ""quoted"", of the visit"\n"a";"hair; ruler"\n"b, c";""\n')
    assert read_table(path)[0] == [
        {"id, as filed": "a", 'note, "quoted", of the visit': "hair; ruler"},
        {"id, as filed": "b, c", 'note, "quoted", of the visit': ""},
    ]


def test_letters_and_their_accents_are_one_character(tmp_path: Path) -> None:
    path = write(tmp_path, unicodedata.normalize("NFD", "Läsion,id\nä,b\n").encode())
    assert read_table(path) == ([{"Läsion": "ä", "id": "b"}], ["Läsion", "id"])


def test_short_rows_end_in_empty_cells_and_long_ones_are_cut(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, b"id,sex\na\nb,m,more\n\n"))[0] == [
        {"id": "a", "sex": ""},
        {"id": "b", "sex": "m"},
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["image_id,lesion_id\nä,b\n", "图像,id\n甲,b\n"])
def test_utf_16_is_called_so(tmp_path: Path, encoding: str, text: str) -> None:
    with pytest.raises(InputError, match=r"table\.csv: cannot be read as a table \(it is UTF-16.* save it as UTF-8"):
        read_table(write(tmp_path, text.encode(encoding)))


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_what_windows_writes_by_default_is_called_so_with_the_line(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match=r"line 3 has the byte 0xE4, as in Windows-1252.*; save it as UTF-8"):
        read_table(write(tmp_path, "image_id,lesion_id\na,b\nä,b\n".encode(encoding)))


@pytest.mark.parametrize("beginning", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook_is_called_so(tmp_path: Path, beginning: bytes) -> None:
    with pytest.raises(InputError, match=r"it is a workbook .*; save the sheet as a text file, 'CSV UTF-8'"):
        read_table(write(tmp_path, beginning + bytes(range(256))))


@pytest.mark.parametrize("separator", ["|", ":", " "])
def test_another_separator_is_refused_with_those_that_are_read(tmp_path: Path, separator: str) -> None:
    content = f"image_id{separator}lesion_id\na{separator}b\n".encode()
    with pytest.raises(InputError) as caught:
        read_table(write(tmp_path, content))
    assert f"has a single column, 'image_id{separator}lesion_id'; columns are told apart by commas" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: cannot be read as a table"):
        read_table(tmp_path / "nowhere.csv")
