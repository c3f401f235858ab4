"""Every reader reads the grey PNGs that are written."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from lesionseg.data.masks import encode_grey_png, read_grey


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
