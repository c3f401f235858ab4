"""Checks of an image at their limits, on facts written by hand, and of a mask, on masks drawn by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.check.examination import Examination, FileFacts, FileFault, ImageFacts, examine
from lesionseg.data.check.sample_checks import check_image, check_mask
from lesionseg.data.likeness import portrait
from lesionseg.data.source import FilePair

PICTURE = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)


def found_in_image(small: np.ndarray = PICTURE, **file: object) -> set[str]:
    facts: dict[str, object] = {
        "format": "JPEG", "mode": "RGB", "suffix": ".jpg", "orientation": 1, "shape": (90, 120),
    }  # fmt: skip
    image = ImageFacts(FileFacts(**(facts | file)), small, portrait(small))  # type: ignore[arg-type]
    examination = Examination(FilePair("a", Path("a.jpg"), Path("a.png")), "train", image, FileFault("empty", ""))
    return {finding.name for finding in check_image(examination)}


def test_an_ordinary_photograph_passes() -> None:
    assert found_in_image() == set()


@pytest.mark.parametrize(
    ("shape", "names"), [((32, 40), set()), ((31, 40), {"tiny_image"}), ((40, 31), {"tiny_image"})]
)
def test_the_shorter_side_counts_for_tiny(shape: tuple[int, int], names: set[str]) -> None:
    assert found_in_image(shape=shape) == names


@pytest.mark.parametrize(("shape", "names"), [((40, 120), set()), ((40, 121), {"elongated_image"})])
def test_three_to_one_is_the_longest(shape: tuple[int, int], names: set[str]) -> None:
    assert found_in_image(shape=shape) == names


@pytest.mark.parametrize(
    ("format_", "suffix", "names"),
    [
        ("PNG", ".png", set()),
        ("PNG", ".jpg", {"misnamed_image"}),
        ("MPO", ".jpg", set()),
        ("JPEG", ".jpeg", set()),
        ("TIFF", ".tif", set()),
        (None, "", set()),
    ],
)
def test_a_name_must_not_claim_another_format(format_: str | None, suffix: str, names: set[str]) -> None:
    assert found_in_image(format=format_, suffix=suffix) == names


def test_a_faint_picture_is_not_blank() -> None:
    assert "blank_image" not in found_in_image((PICTURE // 16 + 120).astype(np.uint8))
    assert "blank_image" in found_in_image((PICTURE // 64 + 120).astype(np.uint8))


def found_in_mask(tmp_path: Path, levels: np.ndarray, suffix: str = ".png") -> set[str]:
    levels = levels.astype(np.uint8)
    Image.new("RGB", levels.shape[1::-1], (90, 80, 70)).save(tmp_path / "image.png")
    Image.fromarray(levels).save(tmp_path / f"mask{suffix}")
    pair = FilePair("a", tmp_path / "image.png", tmp_path / f"mask{suffix}")
    return {finding.name for finding in check_mask(examine(pair, "train"))}


def square(inside: int = 255, outside: int = 0, *, size: int = 100, side: int = 40) -> np.ndarray:
    mask = np.full((size, size), outside)
    start = (size - side) // 2
    mask[start : start + side, start : start + side] = inside
    return mask


@pytest.mark.parametrize(
    ("inside", "names"), [(255, set()), (1, set()), (200, set()), (128, {"dark_mask"}), (2, {"dark_mask"})]
)
def test_which_lesion_values_can_be_read(tmp_path: Path, inside: int, names: set[str]) -> None:
    assert found_in_mask(tmp_path, square(inside)) == names


def test_a_lesion_that_touches_every_edge_is_not_inverted(tmp_path: Path) -> None:
    cross = np.zeros((100, 100))
    cross[30:70] = cross[:, 30:70] = 255
    assert found_in_mask(tmp_path, cross) == set()


def test_a_hole_of_skin_in_a_sea_of_lesion_is_inverted(tmp_path: Path) -> None:
    assert found_in_mask(tmp_path, square(0, 255)) == {"inverted_mask"}


@pytest.mark.parametrize(
    ("side", "names"), [(0, {"empty_mask"}), (3, {"speck_mask"}), (4, set()), (100, {"full_mask"})]
)
def test_how_much_lesion_is_suspicious(tmp_path: Path, side: int, names: set[str]) -> None:
    assert found_in_mask(tmp_path, square(side=side)) == names


@pytest.mark.parametrize(("dots", "names"), [(5, set()), (6, {"scattered_mask"})])
def test_how_many_pieces_are_suspicious(tmp_path: Path, dots: int, names: set[str]) -> None:
    mask = np.zeros((100, 100))
    mask[5 : 5 + 12 * dots : 12, 5:60:12] = 255  # five in a row
    mask[6 : 6 + 12 * dots : 12, 5:60:12] = 255
    assert found_in_mask(tmp_path, mask) == names


def test_a_jpeg_mask_is_named_once(tmp_path: Path) -> None:
    assert found_in_mask(tmp_path, square(), ".jpg") == {"jpeg_mask"}


def test_a_large_mask_is_counted_on_a_smaller_copy(tmp_path: Path) -> None:
    assert found_in_mask(tmp_path, square(size=2000, side=500)) == set()
