"""Images are found whatever people, spreadsheets and systems have made of their names; never the wrong ones."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.image_file import read_image
from lesionseg.data.masks import read_mask
from lesionseg.data.names import (
    READABLE_SUFFIXES,
    archive_group,
    archive_image,
    examples,
    is_readable,
    is_unsupported,
    unsupported_text,
)
from lesionseg.data.table import canonical, match_names
from lesionseg.errors import InputError


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


# Types of files

LESION = np.zeros((40, 56), np.uint8)
LESION[10:30, 12:40] = 255
LOSSLESS_OPTIONS = {".webp": {"lossless": True}, ".avif": {"quality": 100}, ".j2c": {}, ".jp2": {}}


@pytest.mark.parametrize("suffix", sorted(READABLE_SUFFIXES))
def test_every_readable_suffix_holds_a_photograph_and_a_mask(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix.upper()}"
    kinds = {".apng": "PNG", ".mpo": "JPEG", ".pbm": "PPM", ".jpf": "JPEG2000", ".jpc": "JPEG2000"}
    colour = Image.new("RGB", (56, 40), (200, 120, 40))
    colour.save(path, kinds.get(suffix), **LOSSLESS_OPTIONS.get(suffix, {}))
    assert is_readable(path)
    assert np.abs(read_image(path).astype(int) - (200, 120, 40)).max() <= 4
    mask = Image.fromarray(LESION)
    (mask.convert("1") if suffix == ".pbm" else mask).save(path, kinds.get(suffix), **LOSSLESS_OPTIONS.get(suffix, {}))
    assert np.array_equal(read_mask(path), LESION // 255)


@pytest.mark.parametrize("name", ["a.jpg", "b/A.JPE", "x.JFIF", "läsion.gif", "a.b.jp2", "m.WebP", "d.dib"])
def test_names_of_readable_pictures(name: str) -> None:
    assert is_readable(name)
    assert not is_unsupported(name)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("IMG_1.HEIC", "pillow-heif"),
        ("x/IMG_1.heif", "JPEG"),
        ("a.CR2", "raw"),
        ("a.nef", "raw"),
        ("a.dng", "raw"),
        ("a.dcm", "PNG"),
        ("a.svg", "PNG"),
        ("a.psd", "PNG"),
        ("a.jxl", "PNG"),
    ],
)
def test_pictures_that_cannot_be_read_are_named_with_what_to_do(name: str, wanted: str) -> None:
    assert is_unsupported(name)
    assert not is_readable(name)
    text = unsupported_text(name)
    assert text.startswith(f"{name}: ")
    assert "not supported" in text
    assert wanted in text


@pytest.mark.parametrize(
    ("beginning", "wanted"),
    [
        (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "it is HEIC, whatever its name; convert it to JPEG"),
        (bytes(128) + b"DICM", "it is DCM, whatever its name; save its picture as PNG"),
        (b"II*\0\x08\0\0\0", "it is a TIFF that is damaged or of an uncommon kind"),
        (b"8BPS\0\x01", "it is PSD, whatever its name; convert it to PNG"),
    ],
)
def test_a_renamed_picture_is_told_by_its_contents(tmp_path: Path, beginning: bytes, wanted: str) -> None:
    for name in ("IMG_1.jpg", "IMG_1.png"):
        (tmp_path / name).write_bytes(beginning + bytes(500))
        with pytest.raises(InputError, match=rf"{name}: cannot be read as an image .*; {wanted}"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "notes.txt", "table.csv", "a.npy", "README", ".DS_Store", "a.mp4", "a.jpg~"]
)
def test_other_files_are_no_pictures(name: str) -> None:
    assert not is_readable(name)
    assert not is_unsupported(name)
