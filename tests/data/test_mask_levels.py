"""Whatever a mask's levels are, training, scoring and the doctor read the same lesion or refuse it alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.check.examination import examine
from lesionseg.data.check.mask_checks import check_mask
from lesionseg.data.image_file import read_mask, read_white_mask
from lesionseg.data.sample import FilePair
from lesionseg.errors import InputError
from lesionseg.evaluation.mask_folders import read_decision

LESION = np.zeros((40, 60), bool)
LESION[10:30, 15:45] = True
BORDER = np.zeros_like(LESION)
BORDER[8:32, 13:47] = True
BORDER &= ~LESION


def levels(skin: int, lesion: int, border: int | None = None, kind: type = np.uint8) -> np.ndarray:
    drawn = np.where(LESION, lesion, skin)
    return (drawn if border is None else np.where(BORDER, border, drawn)).astype(kind)


def saved(folder: Path, pixels: np.ndarray, name: str = "m.png") -> Path:
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def scored(path: Path) -> np.ndarray:
    return read_decision(path, 128, "truth_above")


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
        assert np.array_equal(read_decision(path, 0, "truth_above"), pixels > 0)


def test_a_threshold_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = saved(tmp_path, levels(40, 200))
    assert np.array_equal(read_decision(path, 100, "truth_above"), LESION)
    assert not read_decision(path, 210, "truth_above").any()
