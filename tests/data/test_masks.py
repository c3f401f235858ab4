"""Training, scoring and the data check read the same lesion from a mask file, or refuse it alike."""

import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from lesionseg.data.check.examination import examine
from lesionseg.data.check.sample_checks import check_mask
from lesionseg.data.image_file import read_image
from lesionseg.data.masks import (
    PREDICTION,
    TRUTH,
    draw_contours,
    encode_grey_png,
    read_grey,
    read_mask,
    read_white_mask,
)
from lesionseg.data.source import FilePair
from lesionseg.errors import InputError
from lesionseg.evaluation.folder_scoring import read_thresholded

LESION = np.zeros((40, 60), bool)
LESION[10:30, 15:45] = True
BORDER = np.zeros_like(LESION)
BORDER[8:32, 13:47] = True
BORDER &= ~LESION
SMALL = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], np.uint8)

Read = Callable[[Path], object]


def levels(skin: int, lesion: int, border: int | None = None, kind: type = np.uint8) -> np.ndarray:
    drawn = np.where(LESION, lesion, skin)
    return (drawn if border is None else np.where(BORDER, border, drawn)).astype(kind)


def saved(folder: Path, pixels: np.ndarray, name: str = "m.png") -> Path:
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def scored(path: Path) -> np.ndarray:
    return read_thresholded(path, 128, "truth_above")


@pytest.mark.parametrize("pixels", [LESION, levels(0, 255), levels(0, 200)], ids=["bool", "0/255", "0/200"])
def test_training_and_scoring_read_one_lesion(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path, pixels)
    for read in (read_mask, scored):
        assert np.array_equal(read(path), LESION)


@pytest.mark.parametrize(
    "pixels",
    [
        levels(0, 127),
        levels(0, 2),
        levels(0, 100),
        levels(1, 2),
        levels(0, 1, 255),
        levels(0, 2, 255),
        levels(1, 2, 255),
        levels(1, 255),
        np.where(BORDER, 50, levels(0, 100)).astype(np.uint8),
    ],
    ids=["0/127", "0/2", "0/100", "1/2", "0/1/255", "0/2/255", "1/2/255", "1/255", "soft 0/100"],
)
def test_what_is_no_mask_is_refused_by_all(tmp_path: Path, pixels: np.ndarray) -> None:
    path = saved(tmp_path, pixels)
    for read in (read_mask, read_white_mask, scored):
        with pytest.raises(InputError, match=r"m\.png: .*(allowed: masks of 0 and 1|set truth_above=0)"):
            read(path)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_a_border_in_16_bits_is_no_lesion(tmp_path: Path, kind: type) -> None:
    with pytest.raises(InputError, match="holds 1 and 65535, a class number"):
        read_mask(saved(tmp_path, levels(0, 1, 65535, kind), "m.tif"))
    with pytest.raises(InputError, match="holds 1 and 255"):
        read_mask(saved(tmp_path, levels(0, 1, 255, kind), "m.tif"))


@pytest.mark.parametrize("factor", [0.97, 0.5, 254.5, np.nan, np.inf])
def test_fractions_are_refused_with_what_to_do(tmp_path: Path, factor: float) -> None:
    pixels = np.where(LESION, np.float32(factor), np.float32(0))
    with pytest.raises(InputError, match=r"m\.tif: the mask( holds fractions such as|'s largest value is inf)"):
        read_mask(saved(tmp_path, pixels, "m.tif"))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_negative_labels_are_refused(tmp_path: Path, kind: type) -> None:
    with pytest.raises(InputError, match="the mask holds -1"):
        read_mask(saved(tmp_path, levels(0, 1, -1, kind), "m.tif"))


def in_alpha(mode: str) -> Image.Image:
    alpha = Image.fromarray(levels(0, 255))
    drawn = Image.new("LA" if mode == "LA" else "RGBA", alpha.size, "white")
    drawn.putalpha(alpha)
    return drawn


def black_in_alpha() -> Image.Image:
    drawn = Image.new("RGBA", LESION.shape[::-1])
    drawn.putalpha(Image.fromarray(levels(0, 255)))
    return drawn


def palette_in_alpha() -> Image.Image:
    drawn = Image.fromarray(levels(0, 1))
    drawn.putpalette([255] * 6)
    drawn.info["transparency"] = 0
    return drawn


HIDDEN: dict[str, Callable[[], Image.Image]] = {
    "RGBA": lambda: in_alpha("RGBA"),
    "LA": lambda: in_alpha("LA"),
    "black": black_in_alpha,
    "palette": palette_in_alpha,
    "nothing but transparency": lambda: Image.fromarray(np.dstack([levels(0, 255)] * 3 + [levels(0, 0)])),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_lesion_in_the_transparency_is_refused_by_all(tmp_path: Path, kind: str) -> None:
    HIDDEN[kind]().save(tmp_path / "m.png")
    for read in (read_mask, read_white_mask, scored):
        with pytest.raises(InputError, match=r"m\.png: the mask has transparent pixels .*without transparency"):
            read(tmp_path / "m.png")
    Image.new("RGB", LESION.shape[::-1]).save(tmp_path / "a.png")
    examination = examine(FilePair("a", tmp_path / "a.png", tmp_path / "m.png"), "train")
    assert [finding.kind.severity for finding in check_mask(examination)] == ["error"]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("value", [1, 255])
def test_transparency_that_agrees_with_the_colours_does_no_harm(tmp_path: Path, mode: str, value: int) -> None:
    """White where the lesion is, and nothing elsewhere, is how layers are saved."""
    drawn = Image.fromarray(levels(0, value)).convert(mode)
    for alpha in (levels(0, 255), levels(255, 255)):
        drawn.putalpha(Image.fromarray(alpha))
        drawn.save(tmp_path / "m.png")
        assert np.array_equal(read_mask(tmp_path / "m.png"), LESION)


@pytest.mark.parametrize("quality", [60, 75, 90, 95, 100])
def test_masks_kept_as_jpeg_are_read_as_ever(tmp_path: Path, quality: int) -> None:
    Image.fromarray(levels(0, 255)).save(tmp_path / "m.jpg", quality=quality)
    assert np.mean(read_mask(tmp_path / "m.jpg") != LESION) < 0.01


def test_grey_outlines_count_as_the_challenge_counts(tmp_path: Path) -> None:
    soft = np.asarray(Image.fromarray(levels(0, 255)).resize((90, 61), Image.Resampling.BILINEAR))
    path = saved(tmp_path, soft)
    assert len(np.unique(soft)) > 3
    for read in (read_mask, scored):
        assert np.array_equal(read(path), soft > 128)


def test_a_map_of_probabilities_may_have_nothing_above_the_threshold(tmp_path: Path) -> None:
    """The challenge's scorer counts such a prediction as empty."""
    faint = np.broadcast_to(np.arange(0, 120, 2, dtype=np.uint8), (40, 60)).copy()
    assert not scored(saved(tmp_path, faint)).any()


@pytest.mark.parametrize("value", [1, 2, 100, 127])
def test_a_threshold_of_0_makes_lesion_of_every_level(tmp_path: Path, value: int) -> None:
    for pixels in (levels(0, value), levels(0, value, 255)):
        path = saved(tmp_path, pixels)
        assert np.array_equal(read_thresholded(path, 0, "truth_above"), pixels > 0)


def test_a_threshold_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = saved(tmp_path, levels(40, 200))
    assert np.array_equal(read_thresholded(path, 100, "truth_above"), LESION)
    assert not read_thresholded(path, 210, "truth_above").any()


# Masks


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize(
    ("scale", "mode"),
    [(255, "1"), (255, "L"), (1, "L"), (255, "P"), (255, "RGB"), (1, "RGB"), (200, "L")],
    ids=["1-bit", "0/255", "0/1", "palette", "RGB 0/255", "RGB 0/1", "0/200"],
)
def test_every_way_to_store_a_mask_gives_zeros_and_ones(tmp_path: Path, suffix: str, scale: int, mode: str) -> None:
    path = save(tmp_path / f"m{suffix}", SMALL * np.uint8(scale), mode)
    assert read_mask(path).dtype == read_white_mask(path).dtype == np.uint8
    assert np.array_equal(read_mask(path), SMALL)
    assert np.array_equal(read_white_mask(path), SMALL * 255)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("white", [1, 255, 40000, 65535])
def test_masks_of_16_bits_give_zeros_and_ones(tmp_path: Path, suffix: str, white: int) -> None:
    path = save(tmp_path / f"m{suffix}", SMALL * np.uint16(white))
    assert np.array_equal(read_mask(path), SMALL)
    assert np.array_equal(read_white_mask(path), SMALL * 255)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
@pytest.mark.parametrize("white", [1, 255, 65535])
def test_masks_of_32_bits_give_zeros_and_ones(tmp_path: Path, kind: type, white: int) -> None:
    assert np.array_equal(read_mask(save(tmp_path / "m.tif", SMALL.astype(kind) * kind(white))), SMALL)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
@pytest.mark.parametrize("white", [66000, 2**24 - 1])
def test_a_mask_of_more_than_16_bits_is_never_read_as_empty(tmp_path: Path, kind: type, white: int) -> None:
    path = save(tmp_path / "odd.tif", SMALL.astype(kind) * kind(white))
    with pytest.raises(InputError, match=r"odd\.tif"):
        read_mask(path)


def test_a_bitmap_of_8_bits_with_a_palette_of_black_and_white_is_read(tmp_path: Path) -> None:
    """Pillow, which writes it, takes it for one of a single bit, and so for empty."""
    image = Image.fromarray(np.kron(SMALL, np.ones((9, 9), np.uint8)))
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(tmp_path / "m.bmp")
    assert np.array_equal(read_mask(tmp_path / "m.bmp"), np.kron(SMALL, np.ones((9, 9), np.uint8)))
    assert np.array_equal(read_image(tmp_path / "m.bmp")[..., 0] > 0, read_mask(tmp_path / "m.bmp"))
    Image.fromarray(SMALL * np.uint8(255)).convert("1").save(tmp_path / "one.bmp")
    assert np.array_equal(read_mask(tmp_path / "one.bmp"), SMALL)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_lesion_is_above_128_as_the_challenge_counts(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"m{suffix}", np.array([[0, 1, 127, 128, 129, 254, 255]], np.uint8))
    assert read_mask(path).tolist() == [[0, 0, 0, 0, 1, 1, 1]]
    assert read_white_mask(path).tolist() == [[0, 0, 0, 0, 255, 255, 255]]


def test_grey_levels_are_given_unjudged(tmp_path: Path) -> None:
    levels = np.array([[0, 1, 38, 128, 129, 255]], np.uint8)
    assert np.array_equal(read_grey(save(tmp_path / "m.png", levels)), levels)


@pytest.mark.parametrize(("value", "lesion"), [(0, 0), (1, 1), (255, 1)])
def test_a_mask_may_be_empty_or_full(tmp_path: Path, value: int, lesion: int) -> None:
    path = save(tmp_path / "m.png", np.full((3, 4), value, np.uint8))
    assert np.array_equal(read_mask(path), np.full((3, 4), lesion))
    assert np.array_equal(read_white_mask(path), np.full((3, 4), lesion * 255))


@pytest.mark.parametrize("read", [read_mask, read_white_mask])
@pytest.mark.parametrize("largest", [2, 128])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_of_other_values_is_refused(tmp_path: Path, read: Read, largest: int, kind: type) -> None:
    path = save(tmp_path / "odd.png", SMALL.astype(kind) * kind(largest))
    with pytest.raises(InputError, match=rf"odd\.png.* {largest}; allowed: masks of 0 and 1, or of 0 and 255"):
        read(path)


@pytest.mark.parametrize("largest", [256, 300, 514, 32895])
def test_a_mask_of_other_values_of_16_bits_is_refused(tmp_path: Path, largest: int) -> None:
    """At 16 bits white is 65535, and half of it is where lesion begins."""
    path = save(tmp_path / "odd.png", SMALL * np.uint16(largest))
    with pytest.raises(InputError, match=r"odd\.png.*; allowed: masks of 0 and 1, or of 0 and 255"):
        read_mask(path)


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes().removeprefix(b"Exif\0\0")


def raw_profile(orientation: int) -> bytes:
    """How ImageMagick kept EXIF before PNG had a chunk for it."""
    raw = b"Exif\0\0" + exif(orientation)
    return b"Raw profile type exif\0" + b"\nexif\n%8d\n" % len(raw) + raw.hex().encode() + b"\n"


def xmp(orientation: int) -> bytes:
    """Adobe's XMP, an uncompressed international text."""
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'
    return b"XML:com.adobe.xmp" + bytes(5) + packet.encode()


@pytest.mark.parametrize("behind_the_data", [False, True])
@pytest.mark.parametrize(("kind", "make"), [(b"eXIf", exif), (b"tEXt", raw_profile), (b"iTXt", xmp)])
def test_a_mask_is_turned_by_each_of_pngs_ways_to_say_so(
    tmp_path: Path, kind: bytes, make: Callable[[int], bytes], behind_the_data: bool
) -> None:
    """Chunks as the PNG specification (third edition), section 5.3, says: length, kind, data, checksum."""
    path = save(tmp_path / "m.png", SMALL * np.uint8(255))
    content = path.read_bytes()
    place = content.index(b"IEND" if behind_the_data else b"IDAT") - 4
    chunk = kind + make(6)
    length, checksum = (struct.pack(">I", number) for number in (len(chunk) - 4, zlib.crc32(chunk)))
    path.write_bytes(content[:place] + length + chunk + checksum + content[place:])
    assert np.array_equal(read_mask(path), np.rot90(SMALL, -1))


# Writing


def write(folder: Path, content: bytes, name: str = "m.png") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def random_pixels(height: int, width: int, *, binary: bool, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if binary:
        return rng.integers(0, 2, (height, width), dtype=np.uint8) * np.uint8(255)
    return rng.integers(0, 256, (height, width), dtype=np.uint8)


def disc(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (np.hypot((y - 0.4 * height) / height, (x - 0.6 * width) / width) < 0.3).astype(np.uint8) * np.uint8(255)


KINDS = {
    "random mask": random_pixels(33, 47, binary=True),
    "grey noise": random_pixels(33, 47, binary=False),
    "mask of 0 and 1": disc(60, 50) // 255,
    "disc": disc(60, 50),
    "soft disc": cv2.GaussianBlur(disc(60, 50), (0, 0), 5),
    "empty": np.zeros((5, 7), np.uint8),
    "full": np.full((5, 7), 255, np.uint8),
    "even grey": np.full((5, 7), 100, np.uint8),
    "one pixel": np.array([[7]], np.uint8),
    "one row": random_pixels(1, 70, binary=False),
    "one column": random_pixels(70, 1, binary=False),
    "part of an array": disc(60, 50)[3::2, 5:40],
    "turned": disc(60, 50).T,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_alike_by_all(tmp_path: Path, kind: str) -> None:
    pixels = KINDS[kind]
    path = write(tmp_path, encode_grey_png(pixels))
    with Image.open(path) as image:
        assert (image.mode, image.info) == ("L", {})
        assert np.array_equal(image, pixels)
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)
    assert np.array_equal(read_grey(path), pixels)


@pytest.mark.parametrize(("kind", "at_most"), [("disc", 1.25), ("soft disc", 1.6)])
def test_files_are_nearly_as_small_as_pillows(kind: str, at_most: float) -> None:
    pixels = cv2.resize(KINDS[kind], (1500, 1200), interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert len(encode_grey_png(pixels)) < at_most * len(file.getvalue())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reader_that_honours_exif_turns_what_is_written(tmp_path: Path, orientation: int) -> None:
    stored = disc(60, 50)
    path = write(tmp_path, encode_grey_png(stored, orientation=orientation))
    with Image.open(path) as image:
        assert np.array_equal(image, stored)
        assert image.getexif().get(0x0112, 1) == orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION), stored)
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), upright)
    assert np.array_equal(read_grey(path), upright)


def test_threads_do_not_disturb_each_other() -> None:
    pictures = [random_pixels(200 + seed, 300, binary=seed % 2 == 0, seed=seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(encode_grey_png, pictures)) == [encode_grey_png(picture) for picture in pictures]


# Outlines

GREY = np.full((16, 16, 3), 90, np.uint8)
NOTHING = np.zeros((16, 16), np.uint8)
SQUARE = NOTHING.copy()
SQUARE[4:12, 4:12] = 1
RING = SQUARE.astype(bool)
RING[5:11, 5:11] = False


@pytest.mark.parametrize(
    ("target", "prediction", "colour"),
    [(SQUARE, NOTHING, TRUTH), (NOTHING, SQUARE, PREDICTION)],
    ids=["truth", "prediction"],
)
def test_an_outline_runs_along_the_edge_of_the_mask_in_its_colour(
    target: np.ndarray, prediction: np.ndarray, colour: tuple[int, int, int]
) -> None:
    drawn = draw_contours(GREY, target, prediction, thickness=1)
    assert np.abs(drawn[RING].astype(int) - colour).max() < 40  # anti-aliased
    assert np.array_equal(drawn[6:10, 6:10], GREY[6:10, 6:10])
    assert np.array_equal(drawn[:2], GREY[:2])


def test_holes_have_an_outline_too() -> None:
    mask = SQUARE.copy()
    mask[7:9, 7:9] = 0
    drawn = draw_contours(GREY, mask, NOTHING, thickness=1)
    assert not np.array_equal(drawn[6:10, 6:10], GREY[6:10, 6:10])


def test_two_empty_masks_draw_nothing_and_the_image_is_left_alone() -> None:
    image = GREY.copy()
    assert np.array_equal(draw_contours(image, NOTHING, NOTHING, thickness=2), GREY)
    draw_contours(image, SQUARE, SQUARE, thickness=2)
    assert np.array_equal(image, GREY)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_masks_of_any_type_will_do(dtype: type) -> None:
    drawn = draw_contours(GREY, SQUARE.astype(dtype), NOTHING, thickness=1)
    assert np.array_equal(drawn, draw_contours(GREY, SQUARE, NOTHING, thickness=1))
