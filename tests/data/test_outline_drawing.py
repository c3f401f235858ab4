"""Outlines run along the edges of the masks in the right colours."""

import numpy as np
import pytest

from lesionseg.data.masks import PREDICTION, TRUTH, draw_contours

GREY = np.full((16, 16, 3), 90, np.uint8)
NOTHING = np.zeros((16, 16), np.uint8)
SQUARE = NOTHING.copy()
SQUARE[4:12, 4:12] = 1
RING = SQUARE.astype(bool)
RING[5:11, 5:11] = False


@pytest.mark.parametrize(
    ("target", "prediction", "colour"),
    [(SQUARE, NOTHING, TRUTH), (NOTHING, SQUARE, PREDICTION)],
    ids=["truth", "prediction"],
)
def test_an_outline_runs_along_the_edge_of_the_mask_in_its_colour(
    target: np.ndarray, prediction: np.ndarray, colour: tuple[int, int, int]
) -> None:
    drawn = draw_contours(GREY, target, prediction, thickness=1)
    assert np.abs(drawn[RING].astype(int) - colour).max() < 40  # anti-aliased
    assert np.array_equal(drawn[6:10, 6:10], GREY[6:10, 6:10])
    assert np.array_equal(drawn[:2], GREY[:2])


def test_holes_have_an_outline_too() -> None:
    mask = SQUARE.copy()
    mask[7:9, 7:9] = 0
    drawn = draw_contours(GREY, mask, NOTHING, thickness=1)
    assert not np.array_equal(drawn[6:10, 6:10], GREY[6:10, 6:10])


def test_two_empty_masks_draw_nothing_and_the_image_is_left_alone() -> None:
    image = GREY.copy()
    assert np.array_equal(draw_contours(image, NOTHING, NOTHING, thickness=2), GREY)
    draw_contours(image, SQUARE, SQUARE, thickness=2)
    assert np.array_equal(image, GREY)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_masks_of_any_type_will_do(dtype: type) -> None:
    drawn = draw_contours(GREY, SQUARE.astype(dtype), NOTHING, thickness=1)
    assert np.array_equal(drawn, draw_contours(GREY, SQUARE, NOTHING, thickness=1))
