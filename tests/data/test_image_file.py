"""Any common file in, plain 8-bit arrays out; what cannot be used is refused by name."""

import io
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from lesionseg.data.image_file import (
    as_stored,
    decoded_bytes,
    exif_orientation,
    file_stamp,
    read_image,
    read_photograph,
    resize_image,
)
from lesionseg.data.masks import read_mask, resize_mask
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]], [[0, 0, 0], [10, 20, 30]]], np.uint8)
"""Three rows of two pixels, so that a swap of axes or of channels shows."""
LESION = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], np.uint8)
CORNERS = np.array([[20, 80], [140, 220]], np.uint8)
"""Grey of the upper left, upper right, lower left and lower right quarter."""
UPRIGHT = {
    1: [[20, 80], [140, 220]],
    2: [[80, 20], [220, 140]],
    3: [[220, 140], [80, 20]],
    4: [[140, 220], [20, 80]],
    5: [[20, 140], [80, 220]],
    6: [[140, 20], [220, 80]],
    7: [[220, 80], [140, 20]],
    8: [[80, 220], [20, 140]],
}
"""EXIF 2.32's table of orientations, applied to `CORNERS` by hand."""

Read = Callable[[Path], object]


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def smooth(height: int, width: int) -> np.ndarray:
    """A ramp in each channel: what a reduced decoding and a full one must agree on."""
    y, x = np.mgrid[:height, :width].astype(float)
    return np.dstack([255 * x / width, 255 * y / height, 127 * (x / width + y / height)]).astype(np.uint8)


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


@pytest.mark.parametrize("name", ["läsion 1.jpg", "皮肤 病变.jpg", "a.b.c.jpg", "100% [x].jpg", "e\u0301.jpg"])
def test_names_may_have_spaces_dots_and_any_letters(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "Größe und Farbe"
    folder.mkdir()
    Image.new("RGB", (5, 4)).save(folder / name)
    assert read_image(folder / name).shape == (4, 5, 3)


# What the colours of an image mean


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_greyscale_is_repeated_in_all_channels(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"a{suffix}", np.full((16, 8), 100, np.uint8)))
    assert np.array_equal(image, np.full((16, 8, 3), 100))


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 200, 100, 50])
    image.putdata([1, 0])
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[200, 100, 50], [9, 8, 7]]]


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.array([[0, 255], [128, 0], [1, 2]], np.uint8)[..., None]
    assert np.array_equal(read_image(save(tmp_path / "a.png", np.concatenate([COLOURS, alpha], axis=-1))), COLOURS)


def test_a_cmyk_jpeg_is_not_read_as_a_negative(tmp_path: Path) -> None:
    """Cyan alone absorbs red alone: (1 - C) (1 - K) of the light is left."""
    Image.new("CMYK", (16, 16), (200, 0, 0, 0)).save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - [55, 255, 255]).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_of_grey_become_8_with_65535_as_white(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", np.array([[0, 257, 25700, 65535]], np.uint16))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image[0].tolist() == [[0] * 3, [1] * 3, [100] * 3, [255] * 3]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_8_bits_in_a_16_bit_file_stay_as_they_are(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", np.array([[0, 1, 100, 255]], np.uint16))
    assert read_image(path)[0, :, 0].tolist() == [0, 1, 100, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_of_colour_become_8(tmp_path: Path, suffix: str) -> None:
    """Written by OpenCV, whose channels are blue, green, red."""
    cv2.imwrite(str(tmp_path / f"a{suffix}"), np.array([[[65535, 0, 25700]]], np.uint16))
    assert read_image(tmp_path / f"a{suffix}").tolist() == [[[100, 0, 255]]]


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_32_bits_are_refused_because_nobody_knows_what_is_white(tmp_path: Path, kind: type) -> None:
    path = save(tmp_path / "deep.tif", np.array([[0, 1, 70000]], kind))
    with pytest.raises(InputError, match=r"deep\.tif: has 32 bits a pixel .*; convert it to 8 or 16 bits"):
        read_image(path)


# Which way up


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_images_and_masks_stand_upright_as_exif_says(tmp_path: Path, orientation: int) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a.png", exif=exif(orientation))
    assert read_image(tmp_path / "a.png")[..., 0].tolist() == UPRIGHT[orientation]
    Image.fromarray((CORNERS == 20).astype(np.uint8) * 255).save(tmp_path / "m.png", exif=exif(orientation))
    assert read_mask(tmp_path / "m.png").tolist() == (np.array(UPRIGHT[orientation]) == 20).astype(int).tolist()


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("for_size", [None, 32])
def test_a_turned_jpeg_is_upright_at_any_scale(tmp_path: Path, orientation: int, for_size: int | None) -> None:
    """320 x 256 pixels, of which a size of 32 needs an eighth."""
    stored = np.kron(CORNERS, np.ones((128, 160), np.uint8))
    Image.fromarray(np.dstack([stored] * 3)).save(tmp_path / "a.jpg", exif=exif(orientation), quality=95)
    pixels, shape, found = read_photograph(tmp_path / "a.jpg", for_size=for_size)
    assert found == orientation
    assert shape == ((256, 320) if orientation < 5 else (320, 256))
    scale = 1 if for_size is None else 8
    assert pixels.shape == (shape[0] // scale, shape[1] // scale, 3)
    height, width = pixels.shape[:2]
    quarters = pixels[height // 4 :: height // 2, width // 4 :: width // 2, 0]
    assert np.abs(quarters.astype(int) - UPRIGHT[orientation]).max() <= 3


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["plain", "compressed"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_orientation_that_was_undone_is_told(
    tmp_path: Path, orientation: int, suffix: str, options: dict[str, str]
) -> None:
    """Pillow turns a TIFF itself while it loads, and then knows no more how it lay."""
    path, wide = tmp_path / f"a{suffix}", np.kron(CORNERS, np.ones((1, 2), np.uint8))
    Image.fromarray(wide).save(path, exif=exif(orientation), **options)
    photograph = read_photograph(path)
    assert photograph.orientation == orientation
    assert photograph.shape == ((2, 4) if orientation < 5 else (4, 2))
    double = np.ones((1, 2) if orientation < 5 else (2, 1), int)
    assert photograph.pixels[..., 0].tolist() == np.kron(UPRIGHT[orientation], double).tolist()


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path: Path, orientation: int) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a.png", exif=exif(orientation))
    photograph = read_photograph(tmp_path / "a.png")
    assert photograph.orientation == 1
    assert photograph.pixels[..., 0].tolist() == CORNERS.tolist()


# Decoding at a reduced scale


@pytest.mark.parametrize("size", [(512, 512), (767, 1022), (333, 1000), (1000, 64)])
@pytest.mark.parametrize("for_size", [32, 100, 128, 256, 570])
def test_a_reduced_decoding_still_has_nine_tenths_of_the_pixels_asked_for(
    tmp_path: Path, size: tuple[int, int], for_size: int
) -> None:
    """Where the file itself has fewer, it is not reduced on that account."""
    photograph = read_photograph(save(tmp_path / "a.jpg", smooth(*size)), for_size=for_size)
    assert photograph.shape == size
    assert all(got >= min(own, 0.9 * for_size - 1) for got, own in zip(photograph.pixels.shape[:2], size, strict=True))


@pytest.mark.parametrize(("for_size", "scale"), [(640, 1), (400, 1), (355, 2), (320, 2), (177, 4), (88, 8), (20, 8)])
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_suffices(tmp_path: Path, for_size: int, scale: int) -> None:
    pixels, shape, _ = read_photograph(save(tmp_path / "a.jpg", smooth(640, 640)), for_size=for_size)
    assert shape == (640, 640)
    assert pixels.shape == (640 // scale, 640 // scale, 3)


@pytest.mark.parametrize("for_size", [100, 200, 256])
def test_a_reduced_decoding_shows_the_same_picture(tmp_path: Path, for_size: int) -> None:
    path = save(tmp_path / "a.jpg", smooth(806, 1030))
    reduced, full = read_photograph(path, for_size=for_size).pixels, read_image(path)
    assert reduced.shape < full.shape
    resized = [cv2.resize(pixels, (for_size, for_size), interpolation=cv2.INTER_AREA) for pixels in (reduced, full)]
    assert cv2.absdiff(*resized).mean() < 1


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_only_jpegs_are_reduced(tmp_path: Path, suffix: str) -> None:
    image = smooth(300, 200)
    photograph = read_photograph(save(tmp_path / f"a{suffix}", image), for_size=20)
    assert photograph.shape == (300, 200)
    assert np.array_equal(photograph.pixels, image)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_without_rgb_are_reduced_too(tmp_path: Path, mode: str) -> None:
    photograph = read_photograph(save(tmp_path / "a.jpg", smooth(320, 320), mode), for_size=40)
    assert photograph.pixels.shape == (40, 40, 3)


# Files that are not what their name says


def test_a_png_named_jpg_is_read(tmp_path: Path) -> None:
    save(tmp_path / "a.png", COLOURS).rename(tmp_path / "a.jpg")
    assert np.array_equal(read_photograph(tmp_path / "a.jpg", for_size=32).pixels, COLOURS)


def test_a_mask_named_png_that_is_none_is_read(tmp_path: Path) -> None:
    save(tmp_path / "m.bmp", LESION * np.uint8(255)).rename(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), LESION)


@pytest.mark.parametrize(("for_size", "side"), [(None, 256), (32, 32)])
def test_of_a_phones_file_of_several_pictures_the_first_is_read(
    tmp_path: Path, for_size: int | None, side: int
) -> None:
    """MPO: a JPEG with a depth map or a second view behind it."""
    first, second = Image.new("RGB", (256, 256), (200, 10, 10)), Image.new("RGB", (256, 256), (10, 10, 200))
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[second])
    photograph = read_photograph((tmp_path / "a.mpo").rename(tmp_path / "a.jpg"), for_size=for_size)
    assert photograph.shape == (256, 256)
    assert photograph.pixels.shape == (side, side, 3)
    assert np.abs(photograph.pixels.astype(int) - [200, 10, 10]).max() <= 3


# Damage


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7], ids=lambda kept: f"{kept:.0%} kept")
def test_a_file_cut_short_is_refused_by_name(tmp_path: Path, read: Read, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    path = save(tmp_path / f"short{suffix}", noise)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=rf"short{suffix}: cannot be read as an image .*; replace the file"):
        read(path)


def test_a_jpeg_cut_short_is_refused_at_a_reduced_scale_too(tmp_path: Path) -> None:
    path = save(tmp_path / "short.jpg", np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(InputError, match=r"short\.jpg: cannot be read as an image"):
        read_photograph(path, for_size=32)


@pytest.mark.parametrize("kept", [0, 4, 8, 12, 20, 33, 60])
def test_a_grey_png_cut_short_is_refused_by_name(tmp_path: Path, kept: int) -> None:
    """A download that stopped within or right after the signature is the commonest damage of all."""
    path = save(tmp_path / "short.png", np.kron(LESION, np.ones((9, 9), np.uint8)) * np.uint8(255))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"short\.png: cannot be read as an image"):
        read_mask(path)


@pytest.mark.parametrize(("width", "height"), [(0, 3), (3, 0), (0, 0)])
def test_an_image_of_no_pixels_is_refused_by_name(tmp_path: Path, width: int, height: int) -> None:
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(height * (width + 1)))),
        (b"IEND", b""),
    ]
    parts = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks]
    (tmp_path / "none.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(InputError, match=r"none\.png"):
        read_mask(tmp_path / "none.png")


@pytest.mark.parametrize("read", [read_image, read_mask, lambda path: read_photograph(path, for_size=32)])
@pytest.mark.parametrize("name", ["page.jpg", "page.png", "page.tif", "page.bmp"])
@pytest.mark.parametrize("content", [b"", b"<html>404 Not Found</html>"], ids=["empty", "a web page"])
def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path, read: Read, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: cannot be read as an image"):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("name", ["gone.jpg", "gone.png"])
def test_a_missing_file_is_refused_by_name(tmp_path: Path, read: Read, name: str) -> None:
    with pytest.raises(InputError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_folder_named_like_an_image_is_refused_by_name(tmp_path: Path, read: Read) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"folder\.png"):
        read(tmp_path / "folder.png")


@pytest.mark.filterwarnings("ignore:Tag data larger", "ignore:Truncated", "ignore:Corrupt EXIF", "ignore:Metadata")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".gif", ".webp", ".jp2"])
@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_damaged_is_refused_by_name_or_read(tmp_path: Path, suffix: str, seed: int) -> None:
    """Half of the damage is in the first hundred bytes, where the headers are."""
    rng = np.random.default_rng(seed)
    save(tmp_path / f"a{suffix}", smooth(24, 16))
    content = bytearray((tmp_path / f"a{suffix}").read_bytes())
    for position in rng.integers(0, [100, 100, len(content), len(content)]) % len(content):
        content[position] = rng.integers(0, 256)
    (tmp_path / "odd.jpg").write_bytes(content)
    for read in (read_image, read_mask, decoded_bytes):
        assert "odd.jpg" in refusal(read, tmp_path / "odd.jpg")


def refusal(read: Read, path: Path) -> str:
    """The message of a refusal; of what is read the name."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return path.name


# Traps, and files too large


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, extra: bytes = b"", data: bytes = b"") -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(data or bytes(height * (width + 1))))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + png_chunk(b"IEND", b"")


def tiff(width: int, height: int) -> bytes:
    """Grey, 8 bits, uncompressed, one strip behind a directory of 7 entries (TIFF 6.0, section 3)."""
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 98), (279, 16)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + bytes(16)


@pytest.mark.parametrize("read", [read_image, read_mask, decoded_bytes])
@pytest.mark.parametrize(
    "content", [png(13400, 13400, data=b"x"), png(2**31 - 1, 2**31 - 1, data=b"x"), tiff(60000, 60000)]
)
def test_a_file_that_declares_too_many_pixels_is_refused_undecoded(tmp_path: Path, read: Read, content: bytes) -> None:
    (tmp_path / "bomb.png").write_bytes(content)
    with pytest.raises(InputError, match=r"bomb\.png: is too large .*; allowed: 179 million pixels; save it smaller"):
        read(tmp_path / "bomb.png")


@pytest.mark.parametrize("read", [read_image, read_mask, decoded_bytes])
def test_the_limit_holds_where_another_library_has_lifted_pillows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Read
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "bomb.png").write_bytes(png(13400, 13400, data=b"x"))
    with pytest.raises(InputError, match=r"bomb\.png: is too large \(13400 x 13400 pixels\)"):
        read(tmp_path / "bomb.png")


def test_pillows_warning_below_the_limit_is_not_shown(tmp_path: Path) -> None:
    """In a process of its own, where warnings are errors: pytest has its own way with warnings."""
    Image.new("1", (15, 12), 1).save(tmp_path / "large.png")
    code = "import sys; from pathlib import Path; from PIL import Image; Image.MAX_IMAGE_PIXELS = 100; "
    code += "from lesionseg.data.masks import read_mask as read; print(read(Path(sys.argv[1])).sum())"
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "large.png")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (str(15 * 12), "")


@pytest.mark.parametrize(
    "extra",
    [
        png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2**26))),
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**26))),
    ],
    ids=["colour profile", "text"],
)
def test_a_chunk_that_unpacks_to_much_more_than_it_is_worth_is_refused(tmp_path: Path, extra: bytes) -> None:
    (tmp_path / "bomb.png").write_bytes(png(3, 2, extra=extra))
    with pytest.raises(InputError, match=r"bomb\.png: cannot be read as an image \(.*too large"):
        read_image(tmp_path / "bomb.png")


def test_a_file_that_would_start_another_program_is_refused(tmp_path: Path) -> None:
    """Pillow hands Encapsulated PostScript to Ghostscript."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: cannot be read as an image"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_or_of_pages_the_first_is_read(tmp_path: Path, kind: str) -> None:
    first, second = Image.new("RGB", (32, 24), (200, 10, 10)), Image.new("RGB", (32, 24), (10, 10, 200))
    first.save(tmp_path / "a.jpg", kind, save_all=True, append_images=[second])
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - [200, 10, 10]).max() <= 4


# Memory


@pytest.mark.parametrize(("for_size", "scale"), [(None, 1), (320, 2), (20, 8)])
def test_the_memory_of_reading_goes_with_the_pixels_decoded(tmp_path: Path, for_size: int | None, scale: int) -> None:
    """At least Pillow's 4 bytes a pixel, the array's 3, and 3 on the way from one to the other."""
    path = save(tmp_path / "a.jpg", smooth(640, 640))
    decoded = (640 // scale) ** 2
    assert 10 * decoded <= decoded_bytes(path, for_size) <= 16 * decoded


def test_a_progressive_jpeg_takes_the_memory_of_its_coefficients_at_any_scale(tmp_path: Path) -> None:
    """16 bits for each pixel of each channel (libjpeg's jdcoefct.c keeps whole planes of them)."""
    Image.fromarray(smooth(640, 640)).save(tmp_path / "a.jpg", progressive=True, subsampling=0)
    assert decoded_bytes(tmp_path / "a.jpg", 20) >= 6 * 640 * 640


def test_a_png_takes_the_memory_of_all_its_pixels_at_any_scale(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", smooth(64, 48))
    assert decoded_bytes(path, 20) == decoded_bytes(path)


# Turning back


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(3, 5), (4, 4), (1, 6)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_turning_back_undoes_what_pillow_does(orientation: int, size: tuple[int, int], kind: type) -> None:
    """Every pixel is another one, so that no two ways of turning look alike."""
    stored = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "PNG", exif=exif(orientation))
    with Image.open(file) as image:
        assert exif_orientation(image) == orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
    found = as_stored(upright.astype(kind), orientation)
    assert found.dtype == kind
    assert np.array_equal(found, stored)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "BMP", "GIF"])
def test_without_exif_an_image_lies_upright(kind: str) -> None:
    file = io.BytesIO()
    Image.new("L", (5, 4)).save(file, kind)
    with Image.open(file) as image:
        assert exif_orientation(image) == 1


# Stamps

TICK = 0.02
"""Seconds; file systems count time in steps of up to a hundredth of a second."""


def written_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def put_in_its_place(path: Path, content: bytes) -> None:
    """As `rsync -t` and editors do: a whole new file under another name, then renamed."""
    new = path.with_name("new")
    new.write_bytes(content)
    shutil.copystat(path, new)
    os.replace(new, path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say when a file was last changed")
@pytest.mark.parametrize("replace", [written_over, put_in_its_place])
def test_other_contents_of_equal_size_and_time_make_another_stamp(
    tmp_path: Path, replace: Callable[[Path, bytes], None]
) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"old contents")
    status, before = path.stat(), file_stamp(path)
    time.sleep(TICK)
    replace(path, b"new contents")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert file_stamp(path) != before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say when a file was last changed")
def test_an_older_file_moved_there_makes_another_stamp(tmp_path: Path) -> None:
    path, other = tmp_path / "mask.png", tmp_path / "other.png"
    for file, content in ((other, b"new contents"), (path, b"old contents")):
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))
    before = file_stamp(path)
    time.sleep(TICK)
    os.replace(other, path)
    assert file_stamp(path) != before


def test_reading_a_file_leaves_its_stamp(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"contents")
    before = file_stamp(path)
    assert path.read_bytes()
    assert file_stamp(path) == before


@pytest.mark.parametrize("read", [read_mask, read_image])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("white", [1, 255])
def test_16_bits_of_colour_that_use_8_are_never_read_as_black(
    tmp_path: Path, read: Read, suffix: str, channels: int, white: int
) -> None:
    """Pillow keeps the upper 8 bits of each channel."""
    pixels = np.dstack([LESION * np.uint16(white)] * 3 + [np.full_like(LESION, 65535, np.uint16)])
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), pixels[..., :channels])
    with pytest.raises(InputError, match=rf"deep\{suffix}: has 16 bits a channel.*; save it with 8 bits"):
        read(tmp_path / f"deep{suffix}")


# Resizing

LARGE = [(767, 1022), (799, 799), (1001, 1333), (1023, 1023), (1024, 1024), (2848, 2001)]
"""Heights and widths at which an image shrinks to 128 by halves first, odd ones too."""


def drawn(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A dermoscopic image and its mask (0 and 1) at any size."""
    image, mask = draw_dermoscopy(3, 512)
    return (
        cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC),
        cv2.resize(mask * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR) // np.uint8(128),
    )


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (33, 65), (300, 77), (500, 501), *LARGE])
def test_the_result_is_a_square_of_8_bits(size: tuple[int, int]) -> None:
    image, mask = drawn(*size)
    small, postprocessing = resize_image(image, 64), resize_mask(mask, 64)
    assert small.shape == (64, 64, 3)
    assert postprocessing.shape == (64, 64)
    assert small.dtype == postprocessing.dtype == np.uint8
    assert np.unique(postprocessing).tolist() == [0, 1]


def test_what_has_the_size_already_is_untouched() -> None:
    image, mask = draw_dermoscopy(0, 96)
    assert np.array_equal(resize_image(image, 96), image)
    assert np.array_equal(resize_mask(mask, 96), mask)
    assert np.array_equal(resize_mask(mask * np.uint8(255), 96), mask)


@pytest.mark.parametrize("size", [(20, 20), (96, 200), (333, 777), (1025, 1027)])
@pytest.mark.parametrize("value", [0, 1, 127, 128, 255])
def test_one_colour_stays_that_colour(size: tuple[int, int], value: int) -> None:
    colour = np.full((*size, 3), [value, 255 - value, 77], np.uint8)
    assert np.array_equal(resize_image(colour, 64), colour[:1, :1].repeat(64, 0).repeat(64, 1))


@pytest.mark.parametrize("size", [(20, 20), (333, 777), (1025, 1027)])
@pytest.mark.parametrize(("value", "lesion"), [(0, 0), (1, 1), (255, 1)])
def test_empty_and_full_masks_stay_so(size: tuple[int, int], value: int, lesion: int) -> None:
    assert np.array_equal(resize_mask(np.full(size, value, np.uint8), 64), np.full((64, 64), lesion))


def test_shrinking_averages_so_that_nothing_aliases() -> None:
    """Black and white hairs of one pixel: taking every second pixel would leave all black or all white."""
    hairs = np.zeros((64, 64, 3), np.uint8)
    hairs[:, ::2] = 255
    assert np.abs(resize_image(hairs, 32).astype(int) - 127.5).max() <= 1


@pytest.mark.parametrize(("short", "long"), [(100, 1000), (100, 2001), (159, 480)])
@pytest.mark.parametrize("upright", [False, True])
def test_a_side_that_shrinks_is_averaged_while_the_other_grows(short: int, long: int, upright: bool) -> None:
    """Hairs of one pixel across the longer side become an even grey: their mean over each new pixel's width."""
    hairs = np.zeros((short, long), np.uint8)
    hairs[:, ::2] = 240
    hairs = np.ascontiguousarray(hairs.T) if upright else hairs
    area = np.interp(np.linspace(0, long, 161), np.arange(long + 1), 240 * ((np.arange(long + 1) + 1) // 2))
    expected = np.diff(area) * 160 / long
    found = resize_image(hairs, 160)
    assert np.abs((found.T if upright else found) - expected).max() <= 1
    stripes = (np.mgrid[:short, :long][1] % 4 > 0).astype(np.uint8)  # three quarters of any area
    assert resize_mask(np.ascontiguousarray(stripes.T) if upright else stripes, 160).mean() > 0.95


def test_enlarging_blends_between_pixels() -> None:
    """Pixel centres of the larger image lie at -1/4, 1/4, 3/4 and 5/4 of the smaller one's."""
    step = np.array([[0, 100], [0, 100]], np.uint8)
    assert resize_image(step, 4).tolist() == [[0, 25, 75, 100]] * 4


@pytest.mark.parametrize("white", [1, 255])
def test_every_2_by_2_pattern_is_lesion_where_half_of_it_is(white: int) -> None:
    patterns = np.arange(16)[:, None] >> np.arange(4) & 1
    squares = patterns.reshape(4, 4, 2, 2).transpose(0, 2, 1, 3).reshape(8, 8).astype(np.uint8)
    expected = (patterns.sum(axis=1) >= 2).reshape(4, 4)
    assert np.array_equal(resize_mask(squares * np.uint8(white), 4), expected)


def test_every_4_by_4_pattern_is_lesion_where_half_of_it_is() -> None:
    """All 65,536 of them in one mask, which shrinks by halves."""
    patterns = np.arange(2**16)[:, None] >> np.arange(16) & 1
    mask = patterns.reshape(256, 256, 4, 4).transpose(0, 2, 1, 3).reshape(1024, 1024).astype(np.uint8)
    expected = (patterns.sum(axis=1) >= 8).reshape(256, 256)
    assert np.array_equal(resize_mask(mask, 256), expected)


def test_zeros_and_ones_and_zeros_and_255_are_the_same_mask() -> None:
    _, mask = drawn(333, 500)
    assert np.array_equal(resize_mask(mask, 100), resize_mask(mask * np.uint8(255), 100))


@pytest.mark.parametrize("size", LARGE)
def test_shrinking_by_halves_is_within_a_grey_level_of_the_direct_way(size: tuple[int, int]) -> None:
    image, _ = drawn(*size)
    direct = cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)
    assert cv2.absdiff(resize_image(image, 128), direct).mean() < 1


@pytest.mark.parametrize("size", LARGE)
def test_masks_shrunk_by_halves_differ_in_less_than_a_thousandth_of_the_pixels(size: tuple[int, int]) -> None:
    _, mask = drawn(*size)
    share = cv2.resize(mask.astype(np.float64), (128, 128), interpolation=cv2.INTER_AREA)
    differing = float((resize_mask(mask, 128) != (share >= 0.5)).mean())
    assert differing < 0.001


@pytest.mark.parametrize("size", [(256, 256), (383, 300), (1000, 200)])
def test_below_three_times_the_size_the_direct_way_is_taken(size: tuple[int, int]) -> None:
    image, mask = drawn(*size)
    assert np.array_equal(resize_image(image, 128), cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA))
    share = cv2.resize(mask.astype(np.float64), (128, 128), interpolation=cv2.INTER_AREA)
    differing = float((resize_mask(mask, 128) != (share >= 0.5)).mean())
    assert differing < 0.001


def test_arguments_are_left_as_they_were() -> None:
    image, mask = drawn(500, 400)
    copies = image.copy(), mask.copy()
    resize_image(image, 64)
    resize_mask(mask, 64)
    assert np.array_equal(image, copies[0])
    assert np.array_equal(mask, copies[1])
