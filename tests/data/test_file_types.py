"""One list says what is read, and one what is not; every suffix on the first is read by contents too."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.image_file import read_image
from lesionseg.data.masks import read_mask
from lesionseg.data.names import READABLE_SUFFIXES, is_readable, is_unsupported, unsupported_text
from lesionseg.errors import InputError

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
