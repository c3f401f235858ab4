"""Tables of lesions or patients, as spreadsheets and repositories write them."""

import codecs
from pathlib import Path

import pytest

from lesionseg.data.metadata import read_groups
from lesionseg.errors import InputError


def groups(path: Path) -> dict[str, str]:
    return read_groups(path, id_column="image_id", group_column="lesion_id")


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_commas_semicolons_and_tabs_separate(tmp_path: Path, delimiter: str, newline: str) -> None:
    rows = [["lesion_id", "image_id", "dx"], ["HAM_1", "ISIC_1", "nv"], ["HAM_1", "ISIC_2", "nv"]]
    path = write(tmp_path, newline.join(delimiter.join(row) for row in rows) + newline)
    assert groups(path) == {"ISIC_1": "HAM_1", "ISIC_2": "HAM_1"}


def test_the_mark_that_excel_puts_first_is_no_part_of_a_heading(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id;lesion_id\nä;Läsion 1\n", "utf-8-sig")
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    assert groups(path) == {"ä": "Läsion 1"}


def test_quoted_cells_may_hold_the_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path, '"image_id","lesion_id","note"\n"a","L1","hair, ruler"\n"b","L, 2",""\n')
    assert groups(path) == {"a": "L1", "b": "L, 2"}


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".jpeg", ".png", ".tif"])
def test_ids_may_carry_their_files_extension(tmp_path: Path, suffix: str) -> None:
    assert groups(write(tmp_path, f"image_id,lesion_id\nISIC_1{suffix},L1\n")) == {"ISIC_1": "L1"}


@pytest.mark.parametrize("cell", ["patient1.visit2", "patient1.visit2.jpg"])
def test_ids_may_have_dots_with_and_without_an_extension(tmp_path: Path, cell: str) -> None:
    """The image `patient1.visit2.jpg` has the id `patient1.visit2`, see `test_pairing.py`."""
    assert groups(write(tmp_path, f"image_id,lesion_id\n{cell},L1\n")) == {"patient1.visit2": "L1"}


@pytest.mark.parametrize("row", ["a,", ",L1", "a", ""])
def test_a_row_without_image_or_group_says_nothing(tmp_path: Path, row: str) -> None:
    assert groups(write(tmp_path, f"image_id,lesion_id\n{row}\nb,L2\n")) == {"b": "L2"}


@pytest.mark.parametrize(
    ("headings", "missing"),
    [("image,lesion_id", "image_id"), ("image_id,patient", "lesion_id"), ("image,patient", "image_id, lesion_id")],
)
def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path, headings: str, missing: str) -> None:
    path = write(tmp_path, f"{headings}\na,b\n")
    with pytest.raises(InputError) as error:
        groups(path)
    assert str(error.value) == f"{path}: has no column {missing}; found: {headings.replace(',', ', ')}"


def test_an_empty_table_lacks_its_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.csv: has no column image_id, lesion_id"):
        groups(write(tmp_path, ""))


def test_a_missing_table_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: cannot be read as a table"):
        groups(tmp_path / "gone.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_table_of_another_encoding_is_refused_by_name(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match=r"table\.csv: cannot be read as a table"):
        groups(write(tmp_path, "image_id,lesion_id\nä,b\n", encoding))


def test_a_workbook_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "table.xlsx").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    with pytest.raises(InputError, match=r"table\.xlsx: cannot be read as a table"):
        groups(tmp_path / "table.xlsx")
