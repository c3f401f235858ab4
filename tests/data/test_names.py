"""Images are found whatever people, spreadsheets and systems have made of their names; never the wrong ones."""

import unicodedata

import pytest

from lesionseg.data.names import archive_group, archive_image, examples
from lesionseg.data.table import canonical, match_names


def found(ids: str, names: str) -> dict[str, list[str]]:
    return match_names(ids.split(), map(canonical, names.split()))


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("ISIC_0012345", "ISIC_0012345.jpg"),
        ("ISIC_0012345", "ISIC_0012345.JPEG"),
        ("ISIC_0012345", "ISIC_0012345.webp"),
        ("ISIC_0012345", "ISIC_0012345.HEIC"),  # its table still names what was converted
        ("patient1.visit2", "patient1.visit2"),
        ("patient1.visit2", "patient1.visit2.png"),
        ("ISIC_0012345", " ISIC_0012345\t"),
        ("ISIC_0012345", "\xa0ISIC_0012345.jpg "),  # a blank that does not break, as web pages have it
        ("ISIC_0012345", r"C:\Users\me\images\ISIC_0012345.jpg"),
        ("ISIC_0012345", r"images\ISIC_0012345"),
        ("ISIC_0012345", "/data/images/ISIC_0012345.tif"),
        ("site1/0012", r"site1\0012.jpg"),
        ("ph2/IMD002", "IMD002"),
        ("ph2/IMD002", "D:/PH2/IMD002.bmp"),
        ("ISIC_0012345", "isic_0012345"),
        ("img_a", "IMG_A.JPG"),
        ("0012345", "12345"),
        ("0012345", "12345.0"),
        ("12345", "0012345"),
        ("mine/0012345", "12345"),
        ("0000000", "0"),
        (unicodedata.normalize("NFD", "Läsion"), unicodedata.normalize("NFC", "Läsion")),
        (unicodedata.normalize("NFC", "Läsion"), unicodedata.normalize("NFD", "Läsion")),
    ],
)
def test_one_image_is_found_under_many_spellings(id_: str, name: str) -> None:
    assert match_names([id_, "another"], [canonical(name), "third"]) == {id_: [canonical(name)]}


@pytest.mark.parametrize(
    ("id_", "name"),
    [("IMD002", "IMD2"), ("a.1", "a.2"), ("1.5", "15"), ("a1", "1"), ("10", "1"), ("site1/7x", "site2/8x")],
)
def test_other_names_mean_other_images(id_: str, name: str) -> None:
    assert found(id_, name) == {}


@pytest.mark.parametrize(
    ("ids", "names", "expected"),
    [
        ("012 12", "12", {"12": ["12"]}),  # the row is 12's own
        ("012 0012", "12", {}),  # nobody knows whose row it is
        ("a A", "A", {"A": ["A"]}),
        ("aB Ab", "AB", {}),
        ("ph2/1 other/1", "1 ph2/1", {"ph2/1": ["ph2/1"], "other/1": ["1"]}),
        ("ph2/1 other/1", "ph2/1", {"ph2/1": ["ph2/1"]}),
        ("isic2017/ISIC_0000001 isic2018/ISIC_0000001", "ISIC_0000001", {
            "isic2017/ISIC_0000001": ["ISIC_0000001"],
            "isic2018/ISIC_0000001": ["ISIC_0000001"],
        }),
        ("1", "a/1.jpg b/1.jpg", {"1": ["a/1", "b/1"]}),
        ("012", "12 0012", {"012": ["0012", "12"]}),
        ("0012", "0012 12 13", {"0012": ["0012", "12"]}),
        ("a", "a A other/A", {"a": ["a", "A"]}),
        ("ph2/1", "ph2/1 1 other/1", {"ph2/1": ["ph2/1"]}),
        ("0012 12", "0012 12", {"0012": ["0012"], "12": ["12"]}),
    ],
)  # fmt: skip
def test_where_a_spelling_fits_several_the_strictest_counts_or_none(
    ids: str, names: str, expected: dict[str, list[str]]
) -> None:
    assert found(ids, names) == expected


def test_examples_are_the_first_three() -> None:
    assert [examples("abc"[:count]) for count in range(4)] == ["none", "a", "a, b", "a, b, c"]
    assert examples("abcd") == "a, b, c, ..."


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("ISIC_0012345", "ISIC_0012345"),
        ("isic2017/ISIC_0012345", "ISIC_0012345"),
        ("outer/inner/ISIC_0012345", "ISIC_0012345"),
        ("isic_0012345", "ISIC_0012345"),
        ("ISIC_0012345_downsampled", "ISIC_0012345"),
        ("ph2/IMD002", "IMD002"),
    ],
)
def test_an_archives_image_is_one_whatever_the_source(id_: str, name: str) -> None:
    assert archive_image(id_) == name


@pytest.mark.parametrize(
    "id_",
    [
        "0012345",
        "a",
        "ISIC_12345",
        "ISIC_00123456",
        "my_ISIC_0012345",
        "ISIC_0012345_2",
        "IMD02",
        "IMD0021",
        "ISIC_0012345/a",
    ],
)
def test_other_names_are_nobodys(id_: str) -> None:
    assert archive_image(id_) is None


@pytest.mark.parametrize(
    ("group", "name"),
    [("HAM_0000118", "HAM_0000118"), ("IL_1234567", "IL_1234567"), ("ip_1234567", "IP_1234567"), ("patient 7", None)],
)
def test_an_archives_lesions_and_patients_are_told_from_others(group: str, name: str | None) -> None:
    assert archive_group(group) == name
