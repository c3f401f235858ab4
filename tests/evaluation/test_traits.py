import cv2
import numpy as np
import pytest

from lesionseg.data.augmentation.pipeline import Hair
from lesionseg.evaluation.traits import image_traits, lesion_traits

SKIN, LESION = (220, 180, 160), (110, 70, 50)


def disc(size=256, radius=50):
    rows, columns = np.mgrid[:size, :size] - size / 2
    return (rows**2 + columns**2 < radius**2).astype(np.uint8)


def photograph(mask, *, skin=SKIN, lesion=LESION, grain=2):
    image = np.where(mask[..., None] > 0, lesion, skin) + np.random.default_rng(0).normal(0, grain, (*mask.shape, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def hairy(image, count):
    drawing = Hair(most_hairs=1, p=1.0)
    drawing.set_random_seed(0)
    for _ in range(count):
        image = drawing(image=image)["image"]
    return image


def test_the_share_counts_lesion_pixels():
    mask = np.zeros((10, 20), np.uint8)
    mask[2:6, 3:8] = 1
    assert lesion_traits(mask) == {"lesion_share": 0.1, "touches_border": 0.0}


@pytest.mark.parametrize("pixel", [(0, 5), (9, 5), (5, 0), (5, 19)])
def test_one_pixel_at_any_edge_touches_the_border(pixel):
    mask = np.zeros((10, 20), np.uint8)
    mask[pixel] = 1
    assert lesion_traits(mask)["touches_border"] == 1.0


def test_a_pixel_beside_the_edge_does_not_touch_it():
    mask = np.zeros((10, 20), np.uint8)
    mask[1, 1] = 1
    assert lesion_traits(mask)["touches_border"] == 0.0


def test_an_empty_and_a_full_mask_have_shares_of_0_and_1():
    assert lesion_traits(np.zeros((8, 8), np.uint8)) == {"lesion_share": 0.0, "touches_border": 0.0}
    assert lesion_traits(np.ones((8, 8), np.uint8)) == {"lesion_share": 1.0, "touches_border": 1.0}


def test_contrast_is_the_distance_in_cie_lab():
    mask = disc()
    image = photograph(mask, skin=(255, 255, 255), lesion=(255, 0, 0), grain=0)
    # White is (100, 0, 0) and sRGB's red (53.24, 80.09, 67.20) in CIE Lab with D65.
    assert image_traits(image, mask)["contrast"] == pytest.approx(114.55, abs=0.2)


def test_contrast_ignores_what_is_far_away_and_the_black_surround():
    mask = disc()
    image = photograph(mask)
    before = image_traits(image, mask)["contrast"]
    image[disc(radius=100) == 0] = (90, 30, 200)
    image[:, :105] = np.where(mask[:, :105, None] > 0, image[:, :105], 0)
    assert image_traits(image, mask)["contrast"] == pytest.approx(before, abs=1)


def test_no_lesion_and_no_skin_have_no_contrast():
    empty, full = np.zeros((64, 64), np.uint8), np.ones((64, 64), np.uint8)
    assert image_traits(photograph(empty), empty)["contrast"] is None
    assert image_traits(photograph(full), full) == {"contrast": None, "hair": None}


def test_bare_and_grainy_skin_has_no_hair():
    mask = disc()
    for grain in (0, 2, 6):
        assert image_traits(photograph(mask, grain=grain), mask)["hair"] < 0.002


def test_more_hair_gives_a_higher_estimate():
    mask = disc()
    shares = [image_traits(hairy(photograph(mask), count), mask)["hair"] for count in (0, 3, 10, 30)]
    assert shares == sorted(shares)
    assert shares[0] < 0.01 < shares[2]
    assert shares[3] > 0.04


def test_the_estimate_is_near_the_share_of_skin_that_straight_hairs_cover():
    mask = np.zeros((256, 256), np.uint8)
    cover = np.zeros_like(mask)
    for column in range(20, 240, 20):
        cv2.line(cover, (column, 0), (column + 12, 255), 1, 2)
    image = photograph(mask)
    image[cover > 0] = (60, 45, 40)
    assert image_traits(image, mask)["hair"] == pytest.approx(cover.mean(), rel=0.25)


def test_dots_thick_strokes_and_the_lesion_itself_are_no_hair():
    mask = disc()
    image = photograph(mask)
    for row in range(10, 256, 24):
        cv2.circle(image, (20, row), 3, (60, 45, 40), -1)
    cv2.line(image, (215, 0), (215, 255), (90, 60, 140), 14)
    cv2.line(image, (110, 110), (140, 140), (20, 10, 10), 2)  # within the lesion
    assert image_traits(image, mask)["hair"] < 0.002


def test_larger_images_are_reduced_first():
    mask = disc()
    image = hairy(photograph(mask), 20)
    larger, larger_mask = (array.repeat(4, axis=0).repeat(4, axis=1) for array in (image, mask))
    assert image_traits(larger, larger_mask) == image_traits(image, mask)


def test_images_that_are_not_square_or_tiny_are_described_too():
    for shape in ((600, 300), (20, 30), (1, 1), (3, 700)):
        mask = np.zeros(shape, np.uint8)
        mask[: shape[0] // 2] = 1
        assert set(image_traits(photograph(mask), mask)) == {"contrast", "hair"}
