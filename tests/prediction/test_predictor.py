"""The three lines of Python that the README promises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lesionseg
from lesionseg.errors import InputError
from lesionseg.prediction.predictor import Predictor


@pytest.fixture
def segmenter(engine: Any) -> Predictor:
    return Predictor(engine)


def test_a_path_an_image_and_an_array_give_one_mask(segmenter: Any, photograph: Any, tmp_path: Path) -> None:
    pixels = photograph(120, 90)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    masks = [segmenter.predict(image) for image in (str(tmp_path / "photo.png"), Image.fromarray(pixels), pixels)]
    for mask in masks:
        assert mask.shape == (90, 120)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, masks[0])
    assert np.mean(masks[0] != (pixels[..., 0] < 128)) < 0.02


@pytest.mark.filterwarnings("error")
def test_an_image_of_the_networks_size_is_predicted_without_a_warning(smoke_run: Path, tmp_path: Path) -> None:
    import torch

    segmenter = lesionseg.load(smoke_run / "checkpoints" / "best.ckpt")
    size = (segmenter.image_size, segmenter.image_size)
    Image.new("RGB", size, (200, 150, 140)).save(tmp_path / "photo.jpg")
    torch.set_warn_always(True)  # torch warns once in a process otherwise, maybe in an earlier test
    try:
        assert segmenter.predict(tmp_path / "photo.jpg").shape == size
    finally:
        torch.set_warn_always(False)


def test_grey_counts_as_colour(segmenter: Any, photograph: Any) -> None:
    pixels = photograph(120, 90)
    np.testing.assert_array_equal(segmenter.predict(pixels[..., 0]), segmenter.predict(pixels))
    np.testing.assert_array_equal(segmenter.predict(Image.fromarray(pixels).convert("L")), segmenter.predict(pixels))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBa", "CMYK", "YCbCr", "I;16", "I"])
def test_every_mode_of_pillows_gives_the_mask_of_the_plain_photograph(
    segmenter: Any, photograph: Any, tmp_path: Path, mode: str
) -> None:
    pixels = photograph(120, 90)
    expected = segmenter.predict(pixels)
    if mode in ("I;16", "I"):
        image = Image.fromarray(pixels[..., 0].astype(np.int32 if mode == "I" else np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert("RGBA" if mode in ("PA", "RGBa") else "RGB").convert(mode)
    assert image.mode == mode
    np.testing.assert_array_equal(segmenter.predict(image), expected)
    if mode not in ("PA", "RGBa", "YCbCr"):  # which no file is written from
        image.save(tmp_path / "a.tif")
        np.testing.assert_array_equal(segmenter.predict(tmp_path / "a.tif"), expected)


def test_an_array_of_16_bits_is_brought_to_8(segmenter: Any, photograph: Any) -> None:
    pixels = photograph(120, 90)
    for deep in (pixels.astype(np.uint16) * 257, pixels[..., 0].astype(np.uint16) * 257):
        np.testing.assert_array_equal(segmenter.predict(deep), segmenter.predict(pixels))


@pytest.mark.parametrize("values", [np.float32([[0.1, 0.9]]), np.int32([[0, 70_000]])], ids=["fractions", "32 bits"])
def test_32_bits_are_refused_from_pillow_as_from_a_path(segmenter: Any, tmp_path: Path, values: Any) -> None:
    image = Image.fromarray(values)
    image.save(tmp_path / "a.tif")
    for given in (image, tmp_path / "a.tif"):
        with pytest.raises(InputError, match="has 32 bits a pixel"):
            segmenter.predict(given)


def test_pillows_tiff_on_its_side_gets_a_mask_of_the_size_it_tells(
    segmenter: Any, photograph: Any, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photograph(120, 60)).save(tmp_path / "a.tif", exif=exif)
    with Image.open(tmp_path / "a.tif") as image:
        assert segmenter.predict(image).shape == image.size[::-1] == (120, 60)


def test_the_mask_fits_pixels_that_exif_would_turn(segmenter: Any, photograph: Any, tmp_path: Path) -> None:
    stored = photograph(120, 60, at=(0.2, 0.4))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    for image in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        assert np.mean(segmenter.predict(image) != (stored[..., 0] < 128)) < 0.03


def test_the_probability_is_what_the_mask_was_decided_by(segmenter: Any, photograph: Any) -> None:
    pixels = photograph(120, 90)
    probability = segmenter.probability(pixels)
    assert probability.shape == (90, 120)
    assert 0 <= probability.min() <= probability.max() <= 1
    np.testing.assert_array_equal(probability > segmenter.threshold, segmenter.predict(pixels))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        None,
        [[1, 2], [3, 4]],
    ],
    ids=["float", "four channels", "channels first", "no pixels", "none", "list"],
)
def test_what_is_no_image_is_refused(segmenter: Any, image: Any) -> None:
    with pytest.raises(InputError, match="allowed: a path"):
        segmenter.predict(image)


def test_a_checkpoint_predicts_what_its_segmenter_computes(smoke_run: Path, photograph: Any) -> None:
    import torch

    from lesionseg.checkpoint.reading import read
    from lesionseg.checkpoint.rebuild import segmenter_of

    checkpoint = smoke_run / "checkpoints" / "best.ckpt"
    segmenter = lesionseg.load(checkpoint, device="cpu", precision="fp32")
    pixels = photograph(segmenter.image_size, segmenter.image_size)
    network = segmenter_of(read(checkpoint))
    with torch.inference_mode():
        expected = network.probability(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0, 0].numpy()
    np.testing.assert_allclose(segmenter.probability(pixels), expected, atol=1e-5)
    assert (segmenter.name, segmenter.threshold) == ("smoke", 0.5)
    assert segmenter.device.startswith("CPU")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"there is no file .*none\.ckpt"):
        lesionseg.load("none.ckpt")
