"""Tables about images are read as spreadsheets and repositories write them; what cannot be read says why."""

import codecs
import logging
import unicodedata
from pathlib import Path

import pytest

from lesionseg.data.source import FilePair, Listing, Subset
from lesionseg.data.table import read_metadata, read_table, with_groups
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


def write_text(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def read_lesions(path: Path, ids: str) -> dict[str, str]:
    rows = read_metadata(path, id_column="image_id", columns=["lesion_id"], ids=ids.split())
    return {id_: row["lesion_id"] for id_, row in rows.items()}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_commas_semicolons_and_tabs_separate(tmp_path: Path, delimiter: str, newline: str) -> None:
    rows = [["lesion_id", "image_id", "dx"], ["HAM_1", "ISIC_1", "nv"], ["HAM_1", "ISIC_2", "nv"]]
    path = tmp_path / "table.csv"
    path.write_bytes(newline.join(delimiter.join(row) for row in [*rows, []]).encode())
    assert read_lesions(path, "ISIC_1 ISIC_2") == {"ISIC_1": "HAM_1", "ISIC_2": "HAM_1"}


def test_only_the_images_asked_for_are_returned_and_those_that_lack_a_row_are_not(tmp_path: Path) -> None:
    path = write_text(tmp_path, "image_id,lesion_id\na,L1\nb,L2\n")
    assert read_lesions(path, "b c") == {"b": "L2"}


def test_all_columns_are_read_where_none_is_named(tmp_path: Path) -> None:
    path = write_text(tmp_path, "image_id,sex,dx\na,f,nv\n")
    assert read_metadata(path, id_column="image_id", columns=None, ids=["a"]) == {"a": {"sex": "f", "dx": "nv"}}


def test_a_spreadsheets_numbers_are_found(tmp_path: Path) -> None:
    path = write_text(tmp_path, "image_id,lesion_id\n12345,p1\n12346.0,p1\n678,p2\n")
    assert read_lesions(path, "0012345 0012346 0000678") == {"0012345": "p1", "0012346": "p1", "0000678": "p2"}


@pytest.mark.parametrize("cell", ["", "unknown", "NA", "n/a", "NaN", "NULL", "?"])
def test_a_cell_that_says_nothing_is_empty(tmp_path: Path, cell: str) -> None:
    assert read_lesions(write_text(tmp_path, f"image_id,lesion_id\na,{cell}\nb,L2\n"), "a b") == {"a": "", "b": "L2"}


@pytest.mark.parametrize("row", [",L1", ""])
def test_a_row_without_an_image_says_nothing(tmp_path: Path, row: str) -> None:
    assert read_lesions(write_text(tmp_path, f"image_id,lesion_id\n{row}\nb,L2\n"), "b") == {"b": "L2"}


@pytest.mark.parametrize("rows", ["a,L1\na,L1", "a,L1\na.jpg,L1", "a,\na,L1", "a,L1\na"])
def test_repeated_rows_that_agree_are_one(tmp_path: Path, rows: str) -> None:
    assert read_lesions(write_text(tmp_path, f"image_id,lesion_id\n{rows}\n"), "a") == {"a": "L1"}


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
        read_lesions(write_text(tmp_path, f"image_id,lesion_id\n{rows}\n"), "a")
    assert str(caught.value).endswith(f"several rows that differ; leave one of each:\n  - {finding}")


def test_a_spreadsheets_number_that_contradicts_the_name_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path, "image_id,lesion_id\n12,p1\n0000012.png,p2\n")
    with pytest.raises(InputError, match=r"0000012\.png = 12: lesion_id p2 or p1"):
        read_lesions(path, "0000012 0000013")


def test_numbers_that_differ_by_leading_zeros_alone_cannot_be_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0012 = 12: lesion_id L2 or L1"):
        read_lesions(write_text(tmp_path, "image_id,lesion_id\n12,L1\n0012,L2\n"), "012")


def test_a_table_of_other_images_is_refused_with_both_spellings(tmp_path: Path) -> None:
    path = write_text(tmp_path, "image_id,lesion_id\n1st.jpg,L1\n2nd.jpg,L2\n")
    with pytest.raises(InputError) as caught:
        read_lesions(path, "ISIC_1 ISIC_2 ISIC_3 ISIC_4")
    assert str(caught.value) == (
        f"{path}: no row's image_id is one of the 4 images; the table has 1st.jpg, 2nd.jpg; "
        "the images are ISIC_1, ISIC_2, ISIC_3, ..."
    )


def test_the_column_that_would_do_is_named(tmp_path: Path) -> None:
    path = write_text(tmp_path, "image_id,lesion_id,isic_id\n1,L1,ISIC_1\n2,L2,ISIC_2\n")
    with pytest.raises(InputError, match="its column isic_id names 2 of them"):
        read_lesions(path, "ISIC_1 ISIC_2 ISIC_3")


@pytest.mark.parametrize(
    ("headings", "missing"),
    [("image,lesion_id", "image_id"), ("image_id,patient", "lesion_id"), ("image,patient", "image_id, lesion_id")],
)
def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path, headings: str, missing: str) -> None:
    path = write_text(tmp_path, f"{headings}\na,b\n")
    with pytest.raises(InputError) as error:
        read_lesions(path, "a")
    assert str(error.value) == f"{path}: has no column {missing}; found: {headings.replace(',', ', ')}"


def test_an_empty_table_lacks_its_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.csv: has no column image_id, lesion_id"):
        read_lesions(write_text(tmp_path, ""), "a")


def listing(train: str, test: str = "") -> Listing:
    parts: dict[Subset, str] = {"train": train, "validation": "", "test": test}
    samples = {part: [FilePair(id_, Path(id_), Path(id_)) for id_ in ids.split()] for part, ids in parts.items()}
    return Listing(samples, official=True)


def grouped(folder: Path, rows: str, images: Listing) -> Listing:
    path = folder / "patients.csv"
    path.write_text(f"image,patient\n{rows}\n")
    return with_groups(images, path, id_column="image", group_column="patient")


def groups_of(listed: Listing) -> dict[str, str | None]:
    return {sample.id: sample.group for sample in listed.samples()}


def test_a_table_groups_the_images_of_all_parts(tmp_path: Path) -> None:
    listed = grouped(tmp_path, "1,p\n2.jpg,q\nx,p", listing("001 002", "x"))
    assert groups_of(listed) == {"001": "p", "002": "q", "x": "p"}
    assert [sample.id for sample in listed.subsets["test"]] == ["x"]
    assert listed.ungrouped == []


def test_images_of_which_it_says_nothing_are_in_no_group_and_listed(tmp_path: Path) -> None:
    listed = grouped(tmp_path, "a,p\nb,\nd,unknown\ne,unknown", listing("a b c d", "e"))
    assert groups_of(listed) == {"a": "p", "b": None, "c": None, "d": None, "e": None}
    assert listed.ungrouped == ["b", "c", "d", "e"]


def test_a_part_of_which_it_says_nothing_is_no_error(tmp_path: Path) -> None:
    assert grouped(tmp_path, "a,p", listing("a", "x y")).ungrouped == ["x", "y"]


def test_a_table_that_names_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row's image is one of the 2 images; the table has A-1; the images are a1"):
        grouped(tmp_path, "A-1,p", listing("a1 a2"))


def test_a_table_that_names_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its column patient is empty for all 2 images"):
        grouped(tmp_path, "a,\nb,?", listing("a b"))


def test_where_there_are_no_images_any_table_does(tmp_path: Path) -> None:
    """What is wrong then, the listing's own faults say."""
    assert groups_of(grouped(tmp_path, "a,p", listing(""))) == {}


# In the sources


def test_a_folders_table_that_matches_nothing_ends_the_run(folder_source, draw_pairs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = draw_pairs(tmp_path, {"a": 0, "b": 1})
    (root / "patients.csv").write_text("image_id,lesion_id\nimage a,p\nimage b,p\n")
    source = folder_source(root, groups="patients.csv")
    for check in (source.require, source.listing):
        with pytest.raises(InputError, match="the table has image a, image b; the images are a, b"):
            check()


def test_half_a_table_is_warned_of_when_the_images_are_divided(  # type: ignore[no-untyped-def]
    folder_source, draw_pairs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from lesionseg.data.datamodule import LesionDataModule

    root = draw_pairs(tmp_path / "data", {name: number for number, name in enumerate("abcdefgh")})
    (root / "patients.csv").write_text("image_id,lesion_id\na,p\nb,p\nc,q\n")
    source = folder_source(root, groups="patients.csv", cache="memory", validation_share=0.25, test_share=0.25)
    LesionDataModule(source, image_size=32, batch_size=1, num_workers=0, seed=0, augment=None)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "says nothing of 5 of 8 images (d, e, f, ...): each counts as a lesion of its own" in warnings[0]
