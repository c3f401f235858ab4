"""Tables about images, as spreadsheets and repositories write them."""

from pathlib import Path

import pytest

from lesionseg.data.metadata import read_metadata
from lesionseg.errors import InputError


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def lesions(path: Path, ids: str) -> dict[str, str]:
    rows = read_metadata(path, id_column="image_id", columns=["lesion_id"], ids=ids.split())
    return {id_: row["lesion_id"] for id_, row in rows.items()}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_commas_semicolons_and_tabs_separate(tmp_path: Path, delimiter: str, newline: str) -> None:
    rows = [["lesion_id", "image_id", "dx"], ["HAM_1", "ISIC_1", "nv"], ["HAM_1", "ISIC_2", "nv"]]
    path = tmp_path / "table.csv"
    path.write_bytes(newline.join(delimiter.join(row) for row in [*rows, []]).encode())
    assert lesions(path, "ISIC_1 ISIC_2") == {"ISIC_1": "HAM_1", "ISIC_2": "HAM_1"}


def test_only_the_images_asked_for_are_returned_and_those_that_lack_a_row_are_not(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,lesion_id\na,L1\nb,L2\n")
    assert lesions(path, "b c") == {"b": "L2"}


def test_all_columns_are_read_where_none_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,sex,dx\na,f,nv\n")
    assert read_metadata(path, id_column="image_id", columns=None, ids=["a"]) == {"a": {"sex": "f", "dx": "nv"}}


def test_a_spreadsheets_numbers_are_found(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,lesion_id\n12345,p1\n12346.0,p1\n678,p2\n")
    assert lesions(path, "0012345 0012346 0000678") == {"0012345": "p1", "0012346": "p1", "0000678": "p2"}


@pytest.mark.parametrize("cell", ["", "unknown", "NA", "n/a", "NaN", "NULL", "?"])
def test_a_cell_that_says_nothing_is_empty(tmp_path: Path, cell: str) -> None:
    assert lesions(write(tmp_path, f"image_id,lesion_id\na,{cell}\nb,L2\n"), "a b") == {"a": "", "b": "L2"}


@pytest.mark.parametrize("row", [",L1", ""])
def test_a_row_without_an_image_says_nothing(tmp_path: Path, row: str) -> None:
    assert lesions(write(tmp_path, f"image_id,lesion_id\n{row}\nb,L2\n"), "b") == {"b": "L2"}


@pytest.mark.parametrize("rows", ["a,L1\na,L1", "a,L1\na.jpg,L1", "a,\na,L1", "a,L1\na"])
def test_repeated_rows_that_agree_are_one(tmp_path: Path, rows: str) -> None:
    assert lesions(write(tmp_path, f"image_id,lesion_id\n{rows}\n"), "a") == {"a": "L1"}


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        ("a,L1\na,L2", "a: lesion_id L1 or L2"),
        ("a,L1\na.jpg,L2", "a = a.jpg: lesion_id L1 or L2"),
        (r"C:\1\a.jpg,L1" + "\n" + r"C:\2\a.jpg,L2", r"C:\1\a.jpg = C:\2\a.jpg: lesion_id L1 or L2"),
        ("z,L1\nz,L2\na,L3", "z: lesion_id L1 or L2"),  # no image here, but the table is not to be trusted
    ],
)
def test_rows_of_one_image_that_differ_are_refused_with_what_they_say(tmp_path: Path, rows: str, finding: str) -> None:
    with pytest.raises(InputError) as caught:
        lesions(write(tmp_path, f"image_id,lesion_id\n{rows}\n"), "a")
    assert str(caught.value).endswith(f"several rows that differ; leave one of each:\n  - {finding}")


def test_a_spreadsheets_number_that_contradicts_the_name_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,lesion_id\n12,p1\n0000012.png,p2\n")
    with pytest.raises(InputError, match=r"0000012\.png = 12: lesion_id p2 or p1"):
        lesions(path, "0000012 0000013")


def test_numbers_that_differ_by_leading_zeros_alone_cannot_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0012 = 12: lesion_id L2 or L1"):
        lesions(write(tmp_path, "image_id,lesion_id\n12,L1\n0012,L2\n"), "012")


def test_a_table_of_other_images_is_refused_with_both_spellings(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,lesion_id\n1st.jpg,L1\n2nd.jpg,L2\n")
    with pytest.raises(InputError) as caught:
        lesions(path, "ISIC_1 ISIC_2 ISIC_3 ISIC_4")
    assert str(caught.value) == (
        f"{path}: no row's image_id is one of the 4 images; the table has 1st.jpg, 2nd.jpg; "
        "the images are ISIC_1, ISIC_2, ISIC_3, ..."
    )


def test_the_column_that_would_do_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,lesion_id,isic_id\n1,L1,ISIC_1\n2,L2,ISIC_2\n")
    with pytest.raises(InputError, match="its column isic_id names 2 of them"):
        lesions(path, "ISIC_1 ISIC_2 ISIC_3")


@pytest.mark.parametrize(
    ("headings", "missing"),
    [("image,lesion_id", "image_id"), ("image_id,patient", "lesion_id"), ("image,patient", "image_id, lesion_id")],
)
def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path, headings: str, missing: str) -> None:
    path = write(tmp_path, f"{headings}\na,b\n")
    with pytest.raises(InputError) as error:
        lesions(path, "a")
    assert str(error.value) == f"{path}: has no column {missing}; found: {headings.replace(',', ', ')}"


def test_an_empty_table_lacks_its_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.csv: has no column image_id, lesion_id"):
        lesions(write(tmp_path, ""), "a")
