"""Image checks at their limits, on facts written by hand."""

import numpy as np
import pytest

from lesionseg.data.check.examination import Examination, FileFacts, FileFault, ImageFacts
from lesionseg.data.check.image_checks import check_image
from lesionseg.data.portrait import portrait
from lesionseg.data.sample import FilePair

PICTURE = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)


def found(small: np.ndarray = PICTURE, **file: object) -> set[str]:
    from pathlib import Path

    facts: dict[str, object] = {
        "format": "JPEG", "mode": "RGB", "suffix": ".jpg", "orientation": 1, "shape": (90, 120), "digest": b"",
    }  # fmt: skip
    image = ImageFacts(FileFacts(**(facts | file)), small, portrait(small))  # type: ignore[arg-type]
    examination = Examination(FilePair("a", Path("a.jpg"), Path("a.png")), "train", image, FileFault("empty", ""))
    return {finding.name for finding in check_image(examination)}


def test_an_ordinary_photograph_passes() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("shape", "names"), [((32, 40), set()), ((31, 40), {"tiny_image"}), ((40, 31), {"tiny_image"})]
)
def test_the_shorter_side_counts_for_tiny(shape: tuple[int, int], names: set[str]) -> None:
    assert found(shape=shape) == names


@pytest.mark.parametrize(("shape", "names"), [((40, 120), set()), ((40, 121), {"elongated_image"})])
def test_three_to_one_is_the_longest(shape: tuple[int, int], names: set[str]) -> None:
    assert found(shape=shape) == names


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
    assert found(format=format_, suffix=suffix) == names


def test_a_faint_picture_is_not_blank() -> None:
    assert "blank_image" not in found((PICTURE // 16 + 120).astype(np.uint8))
    assert "blank_image" in found((PICTURE // 64 + 120).astype(np.uint8))
