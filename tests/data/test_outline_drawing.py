"""Pictures: outlines where the masks end, in the right colours, and sheets of a known size."""

import numpy as np
import pytest

from lesionseg.data.outline_drawing import CAPTION, PREDICTION, TILE, TRUTH, draw_contours, sample_sheet

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


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 1), (3, 2), (8, 4)])
def test_a_sheet_has_two_samples_a_row_below_a_legend(count: int, rows: int) -> None:
    sheet = sample_sheet([GREY] * count, [SQUARE] * count, [SQUARE] * count, ["a"] * count, note="all")
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 2 * (2 * TILE + 12)
    assert sheet.shape[0] == 28 + CAPTION + rows * (CAPTION + TILE + 8)


def test_a_missing_second_sample_is_blank_paper() -> None:
    sheet = sample_sheet([GREY], [SQUARE], [SQUARE], ["a"], note="all")
    assert (sheet[28 + CAPTION :, sheet.shape[1] // 2 :] == 255).all()


def test_each_sample_is_shown_plain_and_with_its_outlines() -> None:
    sheet = sample_sheet([GREY], [SQUARE], [NOTHING], ["a"], note="all")
    tile = sheet[28 + CAPTION + 2 + CAPTION :][:TILE, 6:]
    plain, outlined = tile[:, :TILE], tile[:, TILE : 2 * TILE]
    assert (plain == 90).all()
    assert (outlined == TRUTH).all(axis=-1).any()
    assert not (outlined == PREDICTION).all(axis=-1).any()
    assert (outlined[100:150, 100:150] == 90).all()


def test_images_of_any_size_fill_their_tiles() -> None:
    small, wide = np.zeros((20, 90, 3), np.uint8), np.zeros((300, 400, 3), np.uint8)
    masks = [np.zeros(image.shape[:2], np.uint8) for image in (small, wide)]
    assert sample_sheet([small, wide], masks, masks, ["a", "b"], note="all").shape[0] == 28 + 2 * CAPTION + TILE + 8


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        sample_sheet([GREY, GREY], [SQUARE], [SQUARE], ["a"], note="all")


@pytest.mark.parametrize("note", ["which images", "which images, which weights, which decision; " * 6])
def test_the_note_fits_however_long_it_is(note: str) -> None:
    strip = sample_sheet([GREY], [SQUARE], [SQUARE], ["a"], note=note)[28 : 28 + CAPTION]
    assert (strip < 100).any()
    assert (strip[:, -6:] == 255).all()
