"""The drawn photographs: reproducible, exact in their masks, varied, and neither trivial nor undecidable."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from lesionseg.data.synthetic_image import draw_dermoscopy

Photograph = tuple[NDArray[np.uint8], NDArray[np.uint8]]
SIZE = 96


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    """A hundred drawings, made once for all tests that look at many."""
    return [draw_dermoscopy(seed, SIZE) for seed in range(100)]


def dice(prediction: NDArray[Any], truth: NDArray[Any]) -> float:
    return float(2 * np.sum(prediction & truth) / (prediction.sum() + truth.sum()))


def test_same_seed_draws_the_same_bytes() -> None:
    image, mask = draw_dermoscopy(7, SIZE)
    np.random.default_rng(0).random(10)
    np.random.seed(1)
    cv2.setRNGSeed(1)
    again_image, again_mask = draw_dermoscopy(7, SIZE)
    assert image.tobytes() == again_image.tobytes()
    assert mask.tobytes() == again_mask.tobytes()


def test_drawing_leaves_the_global_random_state_alone() -> None:
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    draw_dermoscopy(7, SIZE)
    assert np.random.random() == expected


def test_every_seed_draws_another_scene(photographs: list[Photograph]) -> None:
    assert len({image.tobytes() for image, _ in photographs}) == len(photographs)
    assert len({mask.tobytes() for _, mask in photographs}) == len(photographs)


@pytest.mark.parametrize("size", [32, 33, 97, 128, 256, 512])
def test_any_size_gives_byte_images_and_binary_masks(size: int) -> None:
    for seed in range(3):
        image, mask = draw_dermoscopy(seed, size)
        assert image.shape == (size, size, 3)
        assert mask.shape == (size, size)
        assert image.dtype == mask.dtype == np.uint8
        assert np.unique(mask).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(8))
def test_a_seed_draws_the_same_scene_at_every_size(seed: int) -> None:
    small_image, small_mask = draw_dermoscopy(seed, 128)
    large_image, large_mask = draw_dermoscopy(seed, 256)
    reduced = cv2.resize(large_image, (128, 128), interpolation=cv2.INTER_AREA).astype(int)
    assert dice(cv2.resize(large_mask, (128, 128), interpolation=cv2.INTER_NEAREST), small_mask) > 0.95
    assert np.abs(reduced - small_image).mean() < 8


@pytest.mark.parametrize(("seed", "size"), [(-1, 128), (0, 31), (0, 0)])
def test_a_negative_seed_and_a_tiny_size_are_refused(seed: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"seed={seed}, size={size}"):
        draw_dermoscopy(seed, size)


def test_the_lesion_is_one_region_without_holes(photographs: list[Photograph]) -> None:
    for _, mask in photographs + [draw_dermoscopy(seed, 32) for seed in range(100)]:
        assert ndimage.label(mask)[1] == 1
        assert np.array_equal(ndimage.binary_fill_holes(mask), mask)


def test_lesions_are_small_and_large(photographs: list[Photograph]) -> None:
    areas = np.array([mask.mean() for _, mask in photographs])
    assert areas.min() > 0.02
    assert areas.max() < 0.65
    assert 0.15 < areas.mean() < 0.24
    assert np.quantile(areas, 0.1) < 0.08
    assert np.quantile(areas, 0.9) > 0.35


def test_the_lesion_can_be_told_from_the_skin_around_it(photographs: list[Photograph]) -> None:
    differences = []
    for image, mask in photographs:
        ring = cv2.dilate(mask, np.ones((9, 9), np.uint8)) - mask
        differences.append(np.abs(image[mask == 1].mean(axis=0) - image[ring == 1].mean(axis=0)).max())
    assert min(differences) > 8
    assert np.median(differences) > 40


def test_a_global_threshold_is_not_enough(photographs: list[Photograph]) -> None:
    scores: dict[str, list[float]] = {"grey": [], "saturation": []}
    for image, mask in photographs[:60]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        saturation = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1].copy()
        scores["grey"].append(dice(cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1], mask))
        scores["saturation"].append(dice(cv2.threshold(saturation, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1], mask))
    assert np.mean(scores["grey"]) < 0.75
    assert np.mean(scores["saturation"]) < 0.75


def test_the_mean_shape_is_not_enough(photographs: list[Photograph]) -> None:
    mean_mask = np.mean([mask for _, mask in photographs], axis=0)
    best = max(
        np.mean([dice((mean_mask > level).astype(np.uint8), mask) for _, mask in photographs])
        for level in (0.2, 0.3, 0.4, 0.5)
    )
    assert best < 0.75
