"""A sample gives image and mask that belong together, at their own size or at the network's."""

import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lesionseg.data.image_file import read_image, resize_image
from lesionseg.data.masks import read_mask, resize_mask
from lesionseg.data.source import FilePair, Sample
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "isic2017_original"
REAL = Path(os.environ.get("LESIONSEG_ISIC2017_ORIGINAL", SHARED))


def pair(folder: Path, size: tuple[int, int], *, suffix: str = ".png", seed: int = 1) -> FilePair:
    """Writes a drawn image and its mask at (height, width)."""
    image, mask = draw_dermoscopy(seed, 256)
    lesion = cv2.resize(mask * np.uint8(255), size[::-1], interpolation=cv2.INTER_NEAREST)
    Image.fromarray(cv2.resize(image, size[::-1])).save(folder / f"a{suffix}", quality=95)
    Image.fromarray(lesion).save(folder / "m.png")
    return FilePair("a", folder / f"a{suffix}", folder / "m.png")


@dataclass(frozen=True)
class Drawn(Sample):
    """Half of a grey picture is lesion."""

    def image(self) -> np.ndarray:
        return np.full((40, 60, 3), 90, np.uint8)

    def mask(self) -> np.ndarray:
        return np.repeat(np.array([[0, 1]], np.uint8), [30, 30], axis=1).repeat(40, axis=0)


def test_a_pair_is_read_together(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    lesion = np.array([[0, 1, 0, 0], [1, 1, 0, 1]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(lesion * np.uint8(255)).save(tmp_path / "m.png")
    sample = FilePair("a", tmp_path / "a.png", tmp_path / "m.png")
    image, mask = sample.read()
    assert np.array_equal(image, pixels)
    assert np.array_equal(mask, lesion)
    assert sample.files == (tmp_path / "a.png", tmp_path / "m.png")


@pytest.mark.parametrize(
    ("size", "suffix"),
    [
        ((64, 64), ".png"),
        ((50, 70), ".jpg"),
        ((64, 64), ".jpg"),
        ((100, 113), ".jpg"),
        ((300, 401), ".png"),
        ((40, 33), ".bmp"),
    ],
)
def test_small_files_are_resized_bit_by_bit_as_in_the_plain_way(
    tmp_path: Path, size: tuple[int, int], suffix: str
) -> None:
    """JPEGs below 1.8 times the size, and other files of any size, are never decoded at a reduced scale."""
    sample = pair(tmp_path, size, suffix=suffix)
    resized, plain = sample.read_resized(64), Sample.read_resized(sample, 64)
    assert np.array_equal(resized.image, plain.image)
    assert np.array_equal(resized.mask, plain.mask)
    assert resized.lesion_share == pytest.approx(plain.lesion_share)


def test_small_files_are_as_opencv_and_pillow_resize_them(tmp_path: Path) -> None:
    sample = pair(tmp_path, (128, 128))
    with Image.open(sample.image_path) as image, Image.open(sample.mask_path) as mask:
        halved = cv2.resize(np.asarray(image), (64, 64), interpolation=cv2.INTER_AREA)
        share = np.asarray(mask).reshape(64, 2, 64, 2).mean(axis=(1, 3)) / 255
    resized = sample.read_resized(64)
    assert np.array_equal(resized.image, halved)
    assert np.array_equal(resized.mask, share >= 0.5)


def test_a_large_jpeg_is_nearly_as_in_the_plain_way_with_the_very_same_mask(tmp_path: Path) -> None:
    sample = pair(tmp_path, (511, 600), suffix=".jpg")
    resized, plain = sample.read_resized(64), Sample.read_resized(sample, 64)
    assert resized.image.shape == (64, 64, 3)
    assert 0 < cv2.absdiff(resized.image, plain.image).mean() < 2
    assert np.array_equal(resized.mask, plain.mask)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real photographs at {REAL}; set LESIONSEG_ISIC2017_ORIGINAL")
@pytest.mark.parametrize("id_", ["ISIC_0001769", "ISIC_0012126", "ISIC_0014568"])
def test_real_photographs_are_nearly_as_in_the_plain_way(id_: str) -> None:
    """At most as far off as a JPEG is from what the camera saw."""
    image_path, mask_path = REAL / "images" / f"{id_}.jpg", REAL / "masks" / f"{id_}_segmentation.png"
    resized = FilePair(id_, image_path, mask_path).read_resized(256)
    image = cv2.resize(read_image(image_path), (256, 256), interpolation=cv2.INTER_AREA)
    with Image.open(mask_path) as file:
        white = np.asarray(file.convert("L")) > 128
    share = cv2.resize(white.astype(np.float64), (256, 256), interpolation=cv2.INTER_AREA)
    assert cv2.absdiff(resized.image, image).mean() < 2
    assert (resized.mask != (share >= 0.5)).mean() < 0.001
    assert resized.lesion_share == pytest.approx(white.mean())


@pytest.mark.parametrize("white", [1, 255])
def test_the_lesions_share_is_that_of_the_full_size_truth(tmp_path: Path, white: int) -> None:
    """Three pixels of a million: none is left at 32 x 32, but the share is known."""
    lesion = np.zeros((1000, 1000), np.uint8)
    lesion[500, 500:503] = white
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.jpg")
    Image.fromarray(lesion).save(tmp_path / "m.png")
    resized = FilePair("a", tmp_path / "a.jpg", tmp_path / "m.png").read_resized(32)
    assert not resized.mask.any()
    assert resized.lesion_share == pytest.approx(3e-6)


def test_samples_without_files_are_resized_too() -> None:
    resized = Drawn("x").read_resized(32)
    assert np.array_equal(resized.image, np.full((32, 32, 3), 90))
    assert np.array_equal(resized.mask, np.repeat([[0] * 16 + [1] * 16], 32, axis=0))
    assert resized.lesion_share == 0.5
    assert Drawn("x").files == ()


@pytest.mark.parametrize("read", [FilePair.read, lambda sample: sample.read_resized(32)])
@pytest.mark.parametrize(("image", "mask"), [((6, 4), (4, 6)), ((600, 400), (300, 200)), ((64, 64), (64, 63))])
def test_a_mask_of_another_size_is_refused_with_both_sizes(
    tmp_path: Path, read: type, image: tuple[int, int], mask: tuple[int, int]
) -> None:
    Image.new("RGB", image).save(tmp_path / "a.jpg")
    Image.new("L", mask).save(tmp_path / "m.png")
    sample = FilePair("ISIC_7", tmp_path / "a.jpg", tmp_path / "m.png")
    message = rf"ISIC_7: the image is {image[0]} x {image[1]} pixels but its mask is {mask[0]} x {mask[1]}; export"
    with pytest.raises(InputError, match=message):
        read(sample)


@pytest.mark.parametrize("size", [32, 64])
def test_image_and_mask_that_are_turned_alike_fit(tmp_path: Path, size: int) -> None:
    """A reduced decoding and EXIF together must not confuse the comparison of sizes."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 256)).save(tmp_path / "a.jpg", exif=exif)
    Image.new("L", (256, 640)).save(tmp_path / "m.png")
    assert FilePair("a", tmp_path / "a.jpg", tmp_path / "m.png").read_resized(size).image.shape == (size, size, 3)


@pytest.mark.parametrize("read", [FilePair.read, lambda sample: sample.read_resized(32)])
@pytest.mark.parametrize("damaged", ["a.png", "m.png"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, read: type, damaged: str) -> None:
    sample = pair(tmp_path, (40, 40))
    (tmp_path / damaged).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=damaged):
        read(sample)


def test_a_group_is_optional_and_kept(tmp_path: Path) -> None:
    paths = tmp_path / "a.png", tmp_path / "m.png"
    assert FilePair("a", *paths).group is None
    grouped = FilePair("a", *paths, group="patient 7")
    assert grouped.group == "patient 7"
    assert grouped != FilePair("a", *paths)
    assert pickle.loads(pickle.dumps(grouped)) == grouped


def test_the_size_given_is_the_networks_and_full_size_reading_is_not_affected(tmp_path: Path) -> None:
    sample = pair(tmp_path, (200, 150), suffix=".jpg")
    resized = sample.read_resized(48)
    assert np.array_equal(resized.mask, resize_mask(read_mask(sample.mask_path), 48))
    assert sample.image().shape == (200, 150, 3)
    assert resize_image(sample.image(), 48).shape == resized.image.shape
