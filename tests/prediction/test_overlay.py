"""Overlays show the photograph and where the prediction ends, at any scale."""

import cv2
import numpy as np
import pytest

from lesionseg.data.masks import PREDICTION
from lesionseg.prediction.worker import draw_overlay

SKIN = np.full((300, 400, 3), (220, 170, 150), np.uint8)


def square(height: int, width: int, white: int = 255) -> np.ndarray:
    """The middle half of each direction."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = white
    return mask


def has(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(drawn.astype(int) - colour).max(axis=-1) <= 8


@pytest.mark.parametrize("white", [1, 255])
def test_the_outline_is_where_the_mask_ends_and_nowhere_else(white: int) -> None:
    """In the photograph the square's edge is at rows 75 and 225, columns 100 and 300."""
    drawn = draw_overlay(SKIN, square(300, 400, white))
    assert drawn.dtype == np.uint8
    assert drawn.shape == SKIN.shape
    line = has(drawn, PREDICTION)
    assert line[75:77, 150].any()
    assert line[223:226, 150].any()
    assert line[150, 99:102].any()
    assert line[150, 298:301].any()
    changed = (drawn != SKIN).any(axis=-1)
    assert not changed[:70].any()
    assert not changed[82:218, 108:292].any()


def test_the_line_has_a_dark_rim_on_both_sides() -> None:
    column = draw_overlay(SKIN, square(300, 400))[60:90, 200]
    line = np.flatnonzero(np.abs(column.astype(int) - PREDICTION).max(axis=-1) <= 8)
    assert column[line[0] - 1].max() < 120
    assert column[line[-1] + 1].max() < 120


def test_a_large_picture_looks_as_a_small_one() -> None:
    large = cv2.resize(SKIN, None, fx=8, fy=8)
    reduced = cv2.resize(draw_overlay(large, square(2400, 3200)), (400, 300), interpolation=cv2.INTER_AREA)
    small = draw_overlay(SKIN, square(300, 400))
    share = [has(drawn, tuple(SKIN[0, 0])).mean() for drawn in (reduced, small)]
    assert share[0] == pytest.approx(share[1], abs=0.03)


def test_without_a_prediction_it_is_the_photograph() -> None:
    assert np.array_equal(draw_overlay(SKIN, np.zeros((300, 400), np.uint8)), SKIN)


def test_the_photograph_given_is_left_alone_and_may_be_read_only() -> None:
    pixels = SKIN.copy()
    pixels.flags.writeable = False
    mask = square(300, 400)
    mask.flags.writeable = False
    draw_overlay(pixels, mask)
    assert np.array_equal(pixels, SKIN)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (32, 1000)])
def test_pictures_may_be_tiny_or_narrow(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), np.uint8)
    assert draw_overlay(pixels, np.ones(size, np.uint8)).shape == (*size, 3)
