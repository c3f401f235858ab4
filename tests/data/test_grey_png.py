"""The short cut for plain grey PNGs agrees with Pillow, or leaves the file to it; what it writes, every reader reads.

The files to read are put together here byte by byte, as the PNG specification (third edition) says.
"""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

import lesionseg.data.grey_png
from lesionseg.data.grey_png import encode_grey_png, read_grey_png
from lesionseg.data.image_file import read_grey

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
"""The last chunk of every PNG, checksum included, as the specification prints it."""
MEGABYTE = 2**20


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, *, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def unfiltered(pixels: np.ndarray) -> bytes:
    """Each row behind a zero, the number of the filter that does nothing."""
    return np.pad(pixels, ((0, 0), (1, 0))).tobytes()


def png(pixels: np.ndarray, *, before: bytes = b"", after: bytes = b"") -> bytes:
    height, width = pixels.shape
    data = chunk(b"IDAT", zlib.compress(unfiltered(pixels)))
    return SIGNATURE + header(width, height) + before + data + after + END


def filtered(pixels: np.ndarray, filters: Sequence[int]) -> bytes:
    """Section 9.2: None, Sub, Up, Average, Paeth; one number for each row in turn."""
    lines, above = [], np.zeros(pixels.shape[1], int)
    for number, row in enumerate(pixels.astype(int)):
        left, upper_left = np.r_[0, row[:-1]], np.r_[0, above[:-1]]
        distances = np.abs([above - upper_left, left - upper_left, left + above - 2 * upper_left])
        paeth = np.choose(distances.argmin(axis=0), [left, above, upper_left])
        kind = filters[number % len(filters)]
        predicted = (np.zeros_like(row), left, above, (left + above) // 2, paeth)[kind]
        lines.append(bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(lines)


def write(folder: Path, content: bytes, name: str = "m.png") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("L"))


def random_pixels(height: int, width: int, *, binary: bool, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if binary:
        return rng.integers(0, 2, (height, width), dtype=np.uint8) * np.uint8(255)
    return rng.integers(0, 256, (height, width), dtype=np.uint8)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (33, 47), (256, 300)])
def test_plain_grey_is_read_as_it_was_written(tmp_path: Path, size: tuple[int, int], binary: bool) -> None:
    pixels = random_pixels(*size, binary=binary)
    content = png(pixels)
    found = read_grey_png(write(tmp_path, content))
    assert found is not None
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)
    assert np.array_equal(pillow(content), pixels)


def test_what_pillow_writes_itself_is_read_right_or_left_to_pillow(tmp_path: Path) -> None:
    """Pillow filters rows as it sees fit, so that both happen."""
    found = []
    for seed in range(8):
        pixels = random_pixels(20, 30, binary=True, seed=seed) if seed % 2 else np.full((20, 30), seed, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "m.png")
        found.append(read_grey_png(tmp_path / "m.png"))
        assert found[-1] is None or np.array_equal(found[-1], pixels)
    assert any(pixels is not None for pixels in found)


@pytest.mark.parametrize("filters", [(1,), (2,), (4,), (0, 0, 2), (4, 1), (0, 1, 2, 4)])
@pytest.mark.parametrize("kind", ["binary", "grey", "a disc"])
def test_filters_of_single_rows_are_undone(tmp_path: Path, filters: tuple[int, ...], kind: str) -> None:
    y, x = np.mgrid[:60, :50]
    disc = ((y - 30) ** 2 + (x - 20) ** 2 < 400).astype(np.uint8) * np.uint8(255)
    pixels = disc if kind == "a disc" else random_pixels(60, 50, binary=kind == "binary")
    content = SIGNATURE + header(50, 60) + chunk(b"IDAT", zlib.compress(filtered(pixels, filters))) + END
    assert np.array_equal(pillow(content), pixels)
    found = read_grey_png(write(tmp_path, content))
    assert found is not None
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("filters", [(3,), (0, 0, 3), (0, 1, 2, 3, 4)])
def test_averaging_filters_are_left_to_pillow(tmp_path: Path, filters: tuple[int, ...]) -> None:
    pixels = random_pixels(20, 30, binary=True)
    content = SIGNATURE + header(30, 20) + chunk(b"IDAT", zlib.compress(filtered(pixels, filters))) + END
    assert np.array_equal(pillow(content), pixels)
    assert read_grey_png(write(tmp_path, content)) is None


@pytest.mark.parametrize("number", [5, 255])
def test_a_filter_that_does_not_exist_is_left_to_pillow(tmp_path: Path, number: int) -> None:
    data = zlib.compress(bytes([number, 1, 2, 3]) * 3)
    assert read_grey_png(write(tmp_path, SIGNATURE + header(3, 3) + chunk(b"IDAT", data) + END)) is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_filters_a_writer_chose_the_answer_is_never_wrong(tmp_path: Path, seed: int) -> None:
    """Few grey levels, so that Paeth's ties and runs of no difference occur all the time."""
    rng = np.random.default_rng(seed)
    filters = rng.choice(5, 12, p=[0.4, 0.15, 0.15, 0.05, 0.25]).tolist()
    levels = rng.integers(0, 256, 2 + seed % 3)
    pixels = levels[rng.integers(0, len(levels), (12, 16))].astype(np.uint8).repeat(1 + seed % 2, axis=1)
    height, width = pixels.shape
    content = SIGNATURE + header(width, height) + chunk(b"IDAT", zlib.compress(filtered(pixels, filters))) + END
    assert np.array_equal(pillow(content), pixels)
    found = read_grey_png(write(tmp_path, content))
    assert (found is None) == (3 in filters)
    assert found is None or np.array_equal(found, pixels)


@pytest.mark.parametrize("length", [1, 7, 100])
def test_data_may_be_in_several_chunks(tmp_path: Path, length: int) -> None:
    pixels = random_pixels(20, 30, binary=True)
    data = zlib.compress(unfiltered(pixels))
    pieces = [chunk(b"IDAT", data[start : start + length]) for start in range(0, len(data), length)]
    found = read_grey_png(write(tmp_path, SIGNATURE + header(30, 20) + b"".join(pieces) + END))
    assert found is not None
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("data", [(b"gAMA", struct.pack(">I", 45455)), (b"pHYs", bytes(9)), (b"tIME", bytes(7))])
def test_other_chunks_do_not_disturb(tmp_path: Path, data: tuple[bytes, bytes]) -> None:
    pixels = random_pixels(6, 9, binary=True)
    found = read_grey_png(write(tmp_path, png(pixels, before=chunk(*data))))
    assert found is not None
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (Image.new("1", (9, 6), 1), {}),
        (Image.new("RGB", (9, 6), "white"), {}),
        (Image.new("LA", (9, 6), (255, 9)), {}),
        (Image.new("P", (9, 6), 1), {}),
        (Image.new("I;16", (9, 6), 65535), {}),
    ],
    ids=["1-bit", "RGB", "with transparency", "palette", "16-bit"],
)
def test_other_kinds_are_left_to_pillow(tmp_path: Path, image: Image.Image, options: dict[str, object]) -> None:
    image.save(tmp_path / "m.png", **options)
    assert read_grey_png(tmp_path / "m.png") is None


def test_interlacing_is_left_to_pillow(tmp_path: Path) -> None:
    """Of one pixel, whose only pass looks like the plain kind: the header alone tells."""
    content = SIGNATURE + header(1, 1, interlaced=1) + chunk(b"IDAT", zlib.compress(b"\0\xff")) + END
    assert pillow(content).tolist() == [[255]]
    assert read_grey_png(write(tmp_path, content)) is None


def exif_bytes(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes().removeprefix(b"Exif\0\0")


def raw_profile(orientation: int) -> bytes:
    """How ImageMagick kept EXIF before PNG had a chunk for it."""
    raw = b"Exif\0\0" + exif_bytes(orientation)
    return b"Raw profile type exif\0" + b"\nexif\n%8d\n" % len(raw) + raw.hex().encode() + b"\n"


def xmp(orientation: int) -> bytes:
    """Adobe's XMP, an uncompressed international text."""
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'
    return b"XML:com.adobe.xmp" + bytes(5) + packet.encode()


@pytest.mark.parametrize("behind_the_data", [False, True])
@pytest.mark.parametrize(
    ("kind", "data"),
    [(b"eXIf", exif_bytes(6)), (b"tEXt", raw_profile(6)), (b"iTXt", xmp(6))],
    ids=["eXIf", "raw profile", "XMP"],
)
def test_a_turned_image_is_left_to_pillow(tmp_path: Path, kind: bytes, data: bytes, behind_the_data: bool) -> None:
    """Pillow finds the orientation in each of these three, and turns the image."""
    extra = chunk(kind, data)
    content = png(random_pixels(6, 9, binary=True), **{"after" if behind_the_data else "before": extra})
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert image.getexif()[0x0112] == 6
    assert read_grey_png(write(tmp_path, content)) is None


# Damage


@pytest.mark.parametrize("name", ["IHDR", "IDAT", "IEND"])
def test_a_wrong_checksum_is_noticed(tmp_path: Path, name: str) -> None:
    content = bytearray(png(random_pixels(6, 9, binary=True)))
    start = content.index(name.encode())
    (length,) = struct.unpack_from(">I", content, start - 4)
    content[start + 4 + length] ^= 1
    assert read_grey_png(write(tmp_path, bytes(content))) is None


def test_a_file_cut_anywhere_is_noticed(tmp_path: Path) -> None:
    content = png(random_pixels(6, 9, binary=True))
    found = [kept for kept in range(len(content)) if read_grey_png(write(tmp_path, content[:kept])) is not None]
    assert found == []


def test_a_flipped_bit_anywhere_never_changes_the_answer(tmp_path: Path) -> None:
    pixels = random_pixels(4, 5, binary=True)
    content = png(pixels)
    for position in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        found = read_grey_png(write(tmp_path, bytes(damaged)))
        assert found is None or np.array_equal(found, pixels), f"bit {position}"


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 100, b"trailing text", END])
def test_data_behind_the_end_never_changes_the_answer(tmp_path: Path, extra: bytes) -> None:
    pixels = random_pixels(6, 9, binary=True)
    found = read_grey_png(write(tmp_path, png(pixels) + extra))
    assert found is None or np.array_equal(found, pixels)


@pytest.mark.parametrize("rows", [5, 7])
def test_another_number_of_rows_than_declared_is_left_to_pillow(tmp_path: Path, rows: int) -> None:
    data = chunk(b"IDAT", zlib.compress(unfiltered(random_pixels(rows, 9, binary=True))))
    assert read_grey_png(write(tmp_path, SIGNATURE + header(9, 6) + data + END)) is None


def test_compressed_data_without_their_own_checksum_are_left_to_pillow(tmp_path: Path) -> None:
    data = zlib.compress(unfiltered(random_pixels(6, 9, binary=True)))[:-4]
    assert read_grey_png(write(tmp_path, SIGNATURE + header(9, 6) + chunk(b"IDAT", data) + END)) is None


@pytest.mark.parametrize(("width", "height"), [(0, 3), (3, 0), (0, 0)])
def test_no_pixels_are_no_image(tmp_path: Path, width: int, height: int) -> None:
    data = chunk(b"IDAT", zlib.compress(bytes(height * (width + 1))))
    assert read_grey_png(write(tmp_path, SIGNATURE + header(width, height) + data + END)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        SIGNATURE,
        SIGNATURE + END,
        SIGNATURE + chunk(b"IHDR", b"short") + END,
        b"<html></html>",
        b"\xff\xd8\xff\xe0",
    ],
    ids=["empty", "signature", "no header", "short header", "web page", "JPEG"],
)
def test_what_is_no_png_is_left_to_pillow(tmp_path: Path, content: bytes) -> None:
    assert read_grey_png(write(tmp_path, content)) is None


def test_other_names_and_missing_files_are_left_to_pillow(tmp_path: Path) -> None:
    assert read_grey_png(tmp_path / "gone.png") is None
    assert read_grey_png(write(tmp_path, png(random_pixels(6, 9, binary=True)), "m.bmp")) is None


# Bombs


@pytest.mark.parametrize(
    ("width", "height", "inflated"),
    [(9000, 9000, 10), (2**31 - 1, 2**31 - 1, 10), (8, 8, 64 * MEGABYTE), (2**31 - 1, 1, 64 * MEGABYTE)],
    ids=["large declared", "huge declared", "more than declared", "huge both"],
)
def test_a_bomb_is_left_alone_without_filling_the_memory(
    tmp_path: Path, width: int, height: int, inflated: int
) -> None:
    data = chunk(b"IDAT", zlib.compress(bytes(inflated), 9))
    path = write(tmp_path, SIGNATURE + header(width, height) + data + END)
    tracemalloc.start()
    try:
        assert read_grey_png(path) is None
        assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    finally:
        tracemalloc.stop()


def test_the_limit_of_pixels_holds_here_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, png(random_pixels(20, 30, binary=True)))
    monkeypatch.setattr(lesionseg.data.grey_png, "LARGEST_PIXELS", 600)
    assert read_grey_png(path) is not None
    monkeypatch.setattr(lesionseg.data.grey_png, "LARGEST_PIXELS", 599)
    assert read_grey_png(path) is None


# Writing


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


@pytest.mark.parametrize("pixels", [disc(600, 500), random_pixels(33, 47, binary=True)])
def test_the_short_cut_reads_the_masks_it_writes(tmp_path: Path, pixels: np.ndarray) -> None:
    found = read_grey_png(write(tmp_path, encode_grey_png(pixels)))
    assert found is not None
    assert np.array_equal(found, pixels)


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
