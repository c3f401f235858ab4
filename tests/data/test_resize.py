"""Resizing: images by areas, masks by half of the area, and the quick way by halves as good as the direct one."""

import cv2
import numpy as np
import pytest

from lesionseg.data.image_file import resize_image
from lesionseg.data.masks import resize_mask
from lesionseg.data.synthetic_image import draw_dermoscopy

LARGE = [(767, 1022), (799, 799), (1001, 1333), (1023, 1023), (1024, 1024), (2848, 2001)]
"""Heights and widths at which an image shrinks to 128 by halves first, odd ones too."""


def drawn(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A dermoscopic image and its mask (0 and 1) at any size."""
    image, mask = draw_dermoscopy(3, 512)
    return (
        cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC),
        cv2.resize(mask * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR) // np.uint8(128),
    )


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (33, 65), (300, 77), (500, 501), *LARGE])
def test_the_result_is_a_square_of_8_bits(size: tuple[int, int]) -> None:
    image, mask = drawn(*size)
    small, postprocessing = resize_image(image, 64), resize_mask(mask, 64)
    assert small.shape == (64, 64, 3)
    assert postprocessing.shape == (64, 64)
    assert small.dtype == postprocessing.dtype == np.uint8
    assert np.unique(postprocessing).tolist() == [0, 1]


def test_what_has_the_size_already_is_untouched() -> None:
    image, mask = draw_dermoscopy(0, 96)
    assert np.array_equal(resize_image(image, 96), image)
    assert np.array_equal(resize_mask(mask, 96), mask)
    assert np.array_equal(resize_mask(mask * np.uint8(255), 96), mask)


@pytest.mark.parametrize("size", [(20, 20), (96, 200), (333, 777), (1025, 1027)])
@pytest.mark.parametrize("value", [0, 1, 127, 128, 255])
def test_one_colour_stays_that_colour(size: tuple[int, int], value: int) -> None:
    colour = np.full((*size, 3), [value, 255 - value, 77], np.uint8)
    assert np.array_equal(resize_image(colour, 64), colour[:1, :1].repeat(64, 0).repeat(64, 1))


@pytest.mark.parametrize("size", [(20, 20), (333, 777), (1025, 1027)])
@pytest.mark.parametrize(("value", "lesion"), [(0, 0), (1, 1), (255, 1)])
def test_empty_and_full_masks_stay_so(size: tuple[int, int], value: int, lesion: int) -> None:
    assert np.array_equal(resize_mask(np.full(size, value, np.uint8), 64), np.full((64, 64), lesion))


def test_shrinking_averages_so_that_nothing_aliases() -> None:
    """Black and white hairs of one pixel: taking every second pixel would leave all black or all white."""
    hairs = np.zeros((64, 64, 3), np.uint8)
    hairs[:, ::2] = 255
    assert np.abs(resize_image(hairs, 32).astype(int) - 127.5).max() <= 1


@pytest.mark.parametrize(("short", "long"), [(100, 1000), (100, 2001), (159, 480)])
@pytest.mark.parametrize("upright", [False, True])
def test_a_side_that_shrinks_is_averaged_while_the_other_grows(short: int, long: int, upright: bool) -> None:
    """Hairs of one pixel across the longer side become an even grey: their mean over each new pixel's width."""
    hairs = np.zeros((short, long), np.uint8)
    hairs[:, ::2] = 240
    hairs = np.ascontiguousarray(hairs.T) if upright else hairs
    area = np.interp(np.linspace(0, long, 161), np.arange(long + 1), 240 * ((np.arange(long + 1) + 1) // 2))
    expected = np.diff(area) * 160 / long
    found = resize_image(hairs, 160)
    assert np.abs((found.T if upright else found) - expected).max() <= 1
    stripes = (np.mgrid[:short, :long][1] % 4 > 0).astype(np.uint8)  # three quarters of any area
    assert resize_mask(np.ascontiguousarray(stripes.T) if upright else stripes, 160).mean() > 0.95


def test_enlarging_blends_between_pixels() -> None:
    """Pixel centres of the larger image lie at -1/4, 1/4, 3/4 and 5/4 of the smaller one's."""
    step = np.array([[0, 100], [0, 100]], np.uint8)
    assert resize_image(step, 4).tolist() == [[0, 25, 75, 100]] * 4


@pytest.mark.parametrize("white", [1, 255])
def test_every_2_by_2_pattern_is_lesion_where_half_of_it_is(white: int) -> None:
    patterns = np.arange(16)[:, None] >> np.arange(4) & 1
    squares = patterns.reshape(4, 4, 2, 2).transpose(0, 2, 1, 3).reshape(8, 8).astype(np.uint8)
    expected = (patterns.sum(axis=1) >= 2).reshape(4, 4)
    assert np.array_equal(resize_mask(squares * np.uint8(white), 4), expected)


def test_every_4_by_4_pattern_is_lesion_where_half_of_it_is() -> None:
    """All 65,536 of them in one mask, which shrinks by halves."""
    patterns = np.arange(2**16)[:, None] >> np.arange(16) & 1
    mask = patterns.reshape(256, 256, 4, 4).transpose(0, 2, 1, 3).reshape(1024, 1024).astype(np.uint8)
    expected = (patterns.sum(axis=1) >= 8).reshape(256, 256)
    assert np.array_equal(resize_mask(mask, 256), expected)


def test_zeros_and_ones_and_zeros_and_255_are_the_same_mask() -> None:
    _, mask = drawn(333, 500)
    assert np.array_equal(resize_mask(mask, 100), resize_mask(mask * np.uint8(255), 100))


@pytest.mark.parametrize("size", LARGE)
def test_shrinking_by_halves_is_within_a_grey_level_of_the_direct_way(size: tuple[int, int]) -> None:
    image, _ = drawn(*size)
    direct = cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)
    assert cv2.absdiff(resize_image(image, 128), direct).mean() < 1


@pytest.mark.parametrize("size", LARGE)
def test_masks_shrunk_by_halves_differ_in_less_than_a_thousandth_of_the_pixels(size: tuple[int, int]) -> None:
    _, mask = drawn(*size)
    share = cv2.resize(mask.astype(np.float64), (128, 128), interpolation=cv2.INTER_AREA)
    differing = float((resize_mask(mask, 128) != (share >= 0.5)).mean())
    assert differing < 0.001


@pytest.mark.parametrize("size", [(256, 256), (383, 300), (1000, 200)])
def test_below_three_times_the_size_the_direct_way_is_taken(size: tuple[int, int]) -> None:
    image, mask = drawn(*size)
    assert np.array_equal(resize_image(image, 128), cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA))
    share = cv2.resize(mask.astype(np.float64), (128, 128), interpolation=cv2.INTER_AREA)
    differing = float((resize_mask(mask, 128) != (share >= 0.5)).mean())
    assert differing < 0.001


def test_arguments_are_left_as_they_were() -> None:
    image, mask = drawn(500, 400)
    copies = image.copy(), mask.copy()
    resize_image(image, 64)
    resize_mask(mask, 64)
    assert np.array_equal(image, copies[0])
    assert np.array_equal(mask, copies[1])
