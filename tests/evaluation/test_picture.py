import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.evaluation.scorer import make_picture

PATH = re.compile(r"(M-?\d+(\.\d)? -?\d+(\.\d)?(L-?\d+(\.\d)? -?\d+(\.\d)?)*Z)+")


def polygons(path):
    return [np.array([point.split() for point in piece.split("L")], float) for piece in re.findall("M([^Z]*)Z", path)]


def painted(path, width, height, zoom=4):
    """Fills the path by the even-odd rule, as holes are drawn: the share of each of the picture's pixels."""
    canvas = np.zeros((height * zoom, width * zoom), np.uint8)
    cv2.fillPoly(canvas, [np.round(piece * zoom).astype(np.int32) for piece in polygons(path)], 255)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / 255


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(picture.photograph)).convert("RGB"))


def empty(height=50, width=60):
    return np.zeros((height, width), np.uint8)


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((600, 800), 400, (400, 300)),
        ((800, 600), 400, (300, 400)),
        ((60, 80), 400, (80, 60)),  # never larger than the truth
        ((1000, 1), 100, (1, 100)),
    ],
)
def test_the_picture_has_the_truths_aspect_ratio_and_at_most_its_size(shape, size, expected):
    photograph = np.full((50, 50, 3), 200, np.uint8)
    picture = make_picture(photograph, empty(*shape), empty(*shape), size=size)
    assert (picture.width, picture.height) == expected
    assert opened(picture).shape == (expected[1], expected[0], 3)


def test_size_0_draws_outlines_of_384_pixels_alone():
    picture = make_picture(np.zeros((50, 50, 3), np.uint8), empty(600, 800), empty(600, 800), size=0)
    assert (picture.width, picture.height, picture.photograph) == (384, 288, None)


def test_without_an_image_there_is_no_photograph():
    assert make_picture(None, empty(), empty(), size=100).photograph is None


def test_the_photograph_is_a_webp_in_true_colours():
    image = np.full((300, 200, 3), (210, 120, 60), np.uint8)
    picture = make_picture(image, empty(90, 60), empty(90, 60), size=90)
    assert picture.photograph[:4] == b"RIFF"
    assert picture.photograph[8:12] == b"WEBP"
    assert np.abs(opened(picture).astype(int) - (210, 120, 60)).max() <= 8


def test_empty_masks_have_empty_outlines():
    picture = make_picture(None, empty(), empty(), size=100)
    assert (picture.target, picture.prediction) == ("", "")


def test_a_square_becomes_its_four_corners():
    mask = empty()
    mask[10:21, 30:41] = 1
    path = make_picture(None, empty(), mask, size=60).target
    corners = {tuple(corner) for corner in polygons(path)[0]}
    assert corners == {(30.5, 10.5), (40.5, 10.5), (40.5, 20.5), (30.5, 20.5)}  # centres of the pixels


@pytest.mark.parametrize("size", [0, 128, 384])
def test_target_and_prediction_cover_what_the_masks_cover(size):
    target, prediction = (draw_dermoscopy(seed, 512)[1] for seed in (1, 2))
    cv2.circle(prediction, (250, 250), 40, 0, -1)
    picture = make_picture(None, prediction, target, size=size)
    for path, mask in ((picture.target, target), (picture.prediction, prediction)):
        assert PATH.fullmatch(path)
        true = cv2.resize(mask.astype(np.float32), (picture.width, picture.height), interpolation=cv2.INTER_AREA)
        assert np.abs(painted(path, picture.width, picture.height) - true).mean() < 0.006


def test_a_hole_is_traced_too():
    mask = empty()
    mask[5:45, 5:45] = 1
    mask[20:30, 20:30] = 0
    assert len(polygons(make_picture(None, mask, mask, size=60).target)) == 2


def test_single_pixels_of_a_large_mask_stay_visible():
    mask = empty(2000, 3000)
    mask[0, 0] = mask[1000, 1500] = mask[1999, 2999] = 1
    pieces = polygons(make_picture(None, mask, mask, size=300).target)
    assert len(pieces) == 3
    for piece in pieces:
        assert np.ptp(piece, axis=0) == pytest.approx([2, 2], abs=0.11)  # written with one decimal
    assert any(np.allclose(piece.mean(axis=0), [150, 100], atol=0.1) for piece in pieces)


def test_a_line_of_one_pixel_is_drawn_from_end_to_end():
    mask = empty()
    mask[25, 10:40] = 1
    (piece,) = polygons(make_picture(None, mask, mask, size=60).target)
    assert piece[:, 0].min() == 10.5
    assert piece[:, 0].max() == 39.5


def test_noise_does_not_make_a_huge_file():
    noise = (np.random.default_rng(0).random((400, 400)) < 0.5).astype(np.uint8)
    path = make_picture(None, noise, noise, size=384).target
    assert PATH.fullmatch(path)
    assert len(path) < 20_000


def test_a_usual_picture_takes_less_than_12_kilobytes():
    image, mask = draw_dermoscopy(1, 512)
    picture = make_picture(image, np.roll(mask, 9, axis=0), mask, size=384)
    assert len(picture.photograph) + len(picture.target) + len(picture.prediction) < 12_000
