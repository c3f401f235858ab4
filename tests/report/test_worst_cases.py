"""The worst cases in one picture: outlines where they belong, in their colours."""

from dataclasses import replace

import numpy as np

from lesionseg.data.outline_drawing import CAPTION, PREDICTION, TILE, TRUTH
from lesionseg.metrics.image_scores import ImageScores, Picture
from lesionseg.report.worst_cases import outlines, worst_cases

LEGEND = 28
EDGE = 4


def with_picture(image: ImageScores, picture: Picture | None) -> ImageScores:
    return replace(image, picture=picture)


def test_path_data_become_points() -> None:
    first, second = outlines("M1 2L3.5 4L5 6ZM0 0L1 1Z")
    assert first.tolist() == [[1, 2], [3.5, 4], [5, 6]]
    assert second.tolist() == [[0, 0], [1, 1]]
    assert outlines("") == []


def test_outlines_stand_where_the_path_says(image_scores: list[ImageScores]) -> None:
    half = Picture(TILE // 2, TILE // 2, None, "M20 20L100 20L100 100L20 100Z", "M40 40L60 40L60 60L40 60Z")
    body = worst_cases([with_picture(image_scores[0], half)])[LEGEND + EDGE + CAPTION :, EDGE:]
    assert tuple(body[40, 100]) == TRUTH
    assert tuple(body[80, 100]) == PREDICTION
    assert tuple(body[150, 150]) == (128, 128, 128)


def test_four_a_row_and_the_last_row_is_filled_up(image_scores: list[ImageScores]) -> None:
    sheet = worst_cases(image_scores[:5])
    assert sheet.dtype == np.uint8
    assert sheet.shape == (LEGEND + 2 * (CAPTION + TILE + 2 * EDGE), 4 * (TILE + 2 * EDGE), 3)
    assert (sheet[-TILE:, -TILE:] == 255).all()


def test_an_image_without_a_picture_leaves_its_place_empty(image_scores: list[ImageScores]) -> None:
    sheet = worst_cases([with_picture(image_scores[0], None)])
    assert (sheet[LEGEND + EDGE + CAPTION :] == 255).all()
