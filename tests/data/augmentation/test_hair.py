"""Drawn hair darkens a few pixels of the image and never touches the mask."""

import albumentations
import numpy as np
import pytest

from lesionseg.data.augmentation.pipeline import Augmentation, Hair

SKIN = np.full((64, 48, 3), (200, 150, 100), np.uint8)
LESION = np.zeros((64, 48), np.uint8)
LESION[20:40, 10:30] = 1
SEEDS = range(20)


def with_hair(seed: int, most_hairs: int = 12, p: float = 1.0, image: np.ndarray = SKIN) -> np.ndarray:
    return Augmentation({"hair": Hair(most_hairs=most_hairs, p=p)})(image, LESION, seed)[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_hair_only_darkens_and_leaves_most_of_the_skin(seed: int) -> None:
    image = with_hair(seed)
    assert image.shape == SKIN.shape
    assert image.dtype == np.uint8
    assert (image <= SKIN).all()
    assert 0.4 < (image == SKIN).all(axis=-1).mean() <= 1


def test_most_images_show_hair() -> None:
    assert sum((with_hair(seed) != SKIN).any() for seed in SEEDS) > 15


@pytest.mark.parametrize("seed", SEEDS)
def test_hair_keeps_between_a_tenth_and_half_of_the_light(seed: int) -> None:
    """One less for rounding down."""
    assert (with_hair(seed) >= (SKIN * 0.1).astype(np.uint8) - 1).all()
    darkest = with_hair(seed).min(axis=(0, 1))
    if (darkest < SKIN[0, 0]).any():
        assert (darkest <= SKIN[0, 0] * 0.95).any()


def test_hair_has_the_colour_of_what_it_covers_but_darker() -> None:
    image = with_hair(0).astype(float)
    touched = image[(image < SKIN).all(axis=-1)] / SKIN[0, 0]
    assert len(touched) > 0
    assert np.ptp(touched, axis=1).max() < 0.02


def test_the_mask_stays_as_it_is() -> None:
    hair = Augmentation({"hair": Hair(most_hairs=12, p=1.0)})
    assert all(np.array_equal(hair(SKIN, LESION, seed)[1], LESION) for seed in SEEDS)


def test_the_seed_decides_where_hair_grows() -> None:
    assert np.array_equal(with_hair(3), with_hair(3))
    assert not np.array_equal(with_hair(3), with_hair(4))


def test_more_hairs_cover_more() -> None:
    few, many = (np.mean([with_hair(seed, most) != SKIN for seed in SEEDS]) for most in (1, 30))
    assert few < many / 3


@pytest.mark.parametrize(("p", "least", "most"), [(0.0, 0, 0), (0.5, 4, 16)])
def test_p_is_the_share_of_images_with_hair(p: float, least: int, most: int) -> None:
    assert least <= sum((with_hair(seed, p=p) != SKIN).any() for seed in SEEDS) <= most


def test_the_photograph_is_left_alone() -> None:
    image = SKIN.copy()
    with_hair(0, image=image)
    assert np.array_equal(image, SKIN)


def test_lines_are_thicker_on_larger_images() -> None:
    assert Hair(most_hairs=1, p=1.0).get_params_dependent_on_data({"shape": (64, 64, 3)}, {})["thickness"] == 1
    assert Hair(most_hairs=1, p=1.0).get_params_dependent_on_data({"shape": (768, 500, 3)}, {})["thickness"] == 3


def test_it_is_an_albumentations_transform_of_images_only() -> None:
    assert isinstance(Hair(most_hairs=1, p=1.0), albumentations.ImageOnlyTransform)
