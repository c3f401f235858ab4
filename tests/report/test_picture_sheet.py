"""Sheets of pictures: outlines where they belong, in their colours, and sizes that are known."""

from dataclasses import replace

import numpy as np
import pytest

from lesionseg.data.masks import PREDICTION, TRUTH
from lesionseg.metrics.image_scores import ImageScores, Picture
from lesionseg.report.picture_sheet import CAPTION, EDGE, LEGEND, TILE, outlines, sample_sheet, worst_cases

GREY = np.full((16, 16, 3), 90, np.uint8)
NOTHING = np.zeros((16, 16), np.uint8)
SQUARE = NOTHING.copy()
SQUARE[4:12, 4:12] = 1


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


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 1), (3, 2), (8, 4)])
def test_a_sheet_has_two_samples_a_row_below_a_legend(count: int, rows: int) -> None:
    sheet = sample_sheet([GREY] * count, [SQUARE] * count, [SQUARE] * count, ["a"] * count, note="all")
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 2 * (2 * TILE + 2 * EDGE)
    assert sheet.shape[0] == LEGEND + CAPTION + rows * (CAPTION + TILE + 2 * EDGE)


def test_a_missing_second_sample_is_blank_paper() -> None:
    sheet = sample_sheet([GREY], [SQUARE], [SQUARE], ["a"], note="all")
    assert (sheet[LEGEND + CAPTION :, sheet.shape[1] // 2 :] == 255).all()


def test_each_sample_is_shown_plain_and_with_its_outlines() -> None:
    sheet = sample_sheet([GREY], [SQUARE], [NOTHING], ["a"], note="all")
    tile = sheet[LEGEND + CAPTION + EDGE + CAPTION :][:TILE, EDGE:]
    plain, outlined = tile[:, :TILE], tile[:, TILE : 2 * TILE]
    assert (plain == 90).all()
    assert (outlined == TRUTH).all(axis=-1).any()
    assert not (outlined == PREDICTION).all(axis=-1).any()
    assert (outlined[100:150, 100:150] == 90).all()


def test_images_of_any_size_fill_their_tiles() -> None:
    small, wide = np.zeros((20, 90, 3), np.uint8), np.zeros((300, 400, 3), np.uint8)
    masks = [np.zeros(image.shape[:2], np.uint8) for image in (small, wide)]
    sheet = sample_sheet([small, wide], masks, masks, ["a", "b"], note="all")
    assert sheet.shape[0] == LEGEND + 2 * CAPTION + TILE + 2 * EDGE


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        sample_sheet([GREY, GREY], [SQUARE], [SQUARE], ["a"], note="all")


@pytest.mark.parametrize("note", ["which images", "which images, which weights, which decision; " * 6])
def test_the_note_fits_however_long_it_is(note: str) -> None:
    strip = sample_sheet([GREY], [SQUARE], [SQUARE], ["a"], note=note)[LEGEND : LEGEND + CAPTION]
    assert (strip < 100).any()
    assert (strip[:, -EDGE:] == 255).all()
