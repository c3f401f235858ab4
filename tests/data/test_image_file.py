"""Any common file in, plain 8-bit arrays out; what cannot be used is refused by name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.image_file import read_image, read_mask
from lesionseg.errors import InputError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]], [[0, 0, 0], [10, 20, 30]]], np.uint8)
"""Three rows of two pixels, so that a swap of axes or of channels shows."""
LESION = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], np.uint8)
EXIF_ORIENTATION = 0x0112


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_lossless_files_are_read_pixel_by_pixel(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"a{suffix}", COLOURS))
    assert image.dtype == np.uint8
    assert np.array_equal(image, COLOURS)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
def test_a_jpeg_keeps_its_colour(tmp_path: Path, suffix: str) -> None:
    colour = np.array([200, 120, 40], np.uint8)
    image = read_image(save(tmp_path / f"a{suffix}", np.broadcast_to(colour, (24, 16, 3)).copy()))
    assert image.shape == (24, 16, 3)
    assert np.abs(image.astype(int) - colour).max() <= 3


def test_greyscale_is_repeated_in_all_channels(tmp_path: Path) -> None:
    grey = np.array([[0, 100], [200, 255]], np.uint8)
    assert np.array_equal(read_image(save(tmp_path / "a.png", grey)), np.stack([grey] * 3, axis=-1))


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 200, 100, 50])
    image.putdata([1, 0])
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[200, 100, 50], [9, 8, 7]]]


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.array([[0, 255], [128, 0], [1, 2]], np.uint8)[..., None]
    assert np.array_equal(read_image(save(tmp_path / "a.png", np.concatenate([COLOURS, alpha], axis=-1))), COLOURS)


def test_an_image_of_more_than_8_bits_is_refused_rather_than_cut_off(tmp_path: Path) -> None:
    path = save(tmp_path / "deep.png", np.array([[1000, 40000]], np.uint16))
    with pytest.raises(InputError, match=r"deep\.png.*8 bits"):
        read_image(path)


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, [[1, 2], [3, 4]]),
        (2, [[2, 1], [4, 3]]),
        (3, [[4, 3], [2, 1]]),
        (4, [[3, 4], [1, 2]]),
        (5, [[1, 3], [2, 4]]),
        (6, [[3, 1], [4, 2]]),
        (7, [[4, 2], [3, 1]]),
        (8, [[2, 4], [1, 3]]),
    ],
)
def test_images_and_masks_stand_upright_as_exif_says(
    tmp_path: Path, orientation: int, upright: list[list[int]]
) -> None:
    """What each orientation means is EXIF 2.32's table: where the stored first row and first column belong."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored = np.array([[1, 2], [3, 4]], np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert read_image(tmp_path / "a.png")[..., 0].tolist() == upright
    Image.fromarray((stored == 1).astype(np.uint8) * 255).save(tmp_path / "m.png", exif=exif)
    assert read_mask(tmp_path / "m.png").tolist() == (np.array(upright) == 1).astype(int).tolist()


def test_a_turned_jpeg_changes_its_sides(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.new("RGB", (40, 16)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (40, 16, 3)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize(
    ("scale", "mode"),
    [(255, "1"), (255, "L"), (1, "L"), (255, "P"), (255, "RGB"), (1, "RGB"), (200, "L")],
    ids=["1-bit", "0/255", "0/1", "palette", "RGB 0/255", "RGB 0/1", "0/200"],
)
def test_every_way_to_store_a_mask_gives_zeros_and_ones(tmp_path: Path, suffix: str, scale: int, mode: str) -> None:
    mask = read_mask(save(tmp_path / f"m{suffix}", LESION * np.uint8(scale), mode))
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, LESION)


def test_a_mask_with_transparency_is_read_by_its_colour(tmp_path: Path) -> None:
    pixels = np.dstack([LESION * np.uint8(255)] * 3 + [np.full_like(LESION, 255)])
    assert np.array_equal(read_mask(save(tmp_path / "m.png", pixels)), LESION)


def test_lesion_is_above_128_as_the_challenge_counts(tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", np.array([[0, 1, 127, 128, 129, 254, 255]], np.uint8))
    assert read_mask(path).tolist() == [[0, 0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize(("value", "lesion"), [(0, 0), (1, 1), (255, 1)])
def test_a_mask_may_be_empty_or_full(tmp_path: Path, value: int, lesion: int) -> None:
    mask = read_mask(save(tmp_path / "m.png", np.full((3, 4), value, np.uint8)))
    assert np.array_equal(mask, np.full((3, 4), lesion))


@pytest.mark.parametrize("largest", [2, 38, 100, 128])
def test_a_mask_of_other_values_is_refused(tmp_path: Path, largest: int) -> None:
    path = save(tmp_path / "odd.png", LESION * np.uint8(largest))
    with pytest.raises(InputError, match=rf"odd\.png.* {largest}; allowed: masks of 0 and 1, or of 0 and 255"):
        read_mask(path)


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7], ids=lambda kept: f"{kept:.0%} kept")
def test_a_file_cut_short_is_refused_by_name(tmp_path: Path, read: type, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    path = save(tmp_path / f"short{suffix}", noise)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=rf"short{suffix}: cannot be read as an image .*; replace the file"):
        read(path)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path, read: type) -> None:
    (tmp_path / "page.jpg").write_text("<html>404 Not Found</html>")
    with pytest.raises(InputError, match=r"page\.jpg"):
        read(tmp_path / "page.jpg")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg"):
        read_image(tmp_path / "gone.jpg")


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "bomb.png", np.zeros((32, 32), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"bomb\.png"):
        read_image(path)
