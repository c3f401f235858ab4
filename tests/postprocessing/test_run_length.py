import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from lesionseg.postprocessing.run_length import Box, RunLengthMask, mask_above, resize_and_threshold


def blob(seed: int, shape: tuple[int, int]) -> np.ndarray:
    noise = np.random.default_rng(seed).random(shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5) if seed % 2 else noise
    return (smooth - smooth.min()) / max(float(np.ptp(smooth)), 1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_both_ways_give_one_mask_and_it_is_the_thresholded_interpolation(seed: int) -> None:
    """In float64, so that rounding decides nothing."""
    sides = np.random.default_rng(1000 + seed).integers(1, 90, 4).tolist()
    network, image = (sides[0], sides[1]), (sides[2], sides[3])  # enlarged in one direction and reduced in another
    probability = blob(seed, network)
    tensor = torch.from_numpy(probability.astype(np.float64))[None, None]
    interpolated = functional.interpolate(tensor, size=image, mode="bilinear")
    for threshold in (0.3, 0.5, 0.71):
        resized, above = resize_and_threshold(tensor, threshold, image)
        assert torch.equal(resized, interpolated)
        assert torch.equal(above, interpolated > threshold)
        np.testing.assert_array_equal(mask_above(probability, threshold, image).pixels() > 0, above[0, 0].numpy())


def test_a_real_sizes_mask_differs_in_no_more_than_rounding() -> None:
    probability = cv2.GaussianBlur(blob(1, (160, 160)), (0, 0), 7)
    probability = (probability - probability.min()) / np.ptp(probability)
    _, above = resize_and_threshold(torch.from_numpy(probability)[None, None], 0.5, (1024, 1536))
    assert np.mean((mask_above(probability, 0.5, (1024, 1536)).pixels() > 0) != above[0, 0].numpy()) < 1e-5


def test_hand_drawn_runs_are_measured() -> None:
    probability = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]], np.float32)
    found = mask_above(probability, 0.5, (4, 4))
    assert found.area == 4
    assert found.box == Box(left=1, top=1, right=3, bottom=2)
    assert found.centroid == pytest.approx((7 / 4, 6 / 4))
    assert found.touches_border  # the pixel in the last column
    np.testing.assert_array_equal(found.pixels(), (probability * 255).astype(np.uint8))


def test_measures_agree_with_opencv() -> None:
    found = mask_above(blob(3, (24, 24)), 0.5, (70, 101))
    mask = found.pixels()
    moments = cv2.moments(mask, binaryImage=True)
    left, top, width, height = cv2.boundingRect(mask)
    assert found.area == cv2.countNonZero(mask) == moments["m00"]
    assert found.box == Box(left, top, left + width - 1, top + height - 1)
    assert found.centroid == pytest.approx((moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]))


@pytest.mark.parametrize(
    ("pixel", "touches"), [((0, 3), True), ((7, 3), True), ((3, 0), True), ((3, 7), True), ((3, 3), False)]
)
def test_any_of_the_four_borders_counts(pixel: tuple[int, int], touches: bool) -> None:
    probability = np.zeros((8, 8), np.float32)
    probability[pixel] = 1
    assert mask_above(probability, 0.5, (8, 8)).touches_border == touches


def test_nothing_above_the_threshold_is_an_empty_mask() -> None:
    found = mask_above(np.full((8, 8), 0.5, np.float32), 0.5, (20, 30))
    assert (found.area, found.box, found.centroid, found.touches_border) == (0, None, None, False)
    assert found.pixels().shape == (20, 30)
    assert not found.pixels().any()


def test_everything_above_the_threshold_is_a_full_mask() -> None:
    found = mask_above(np.ones((8, 8), np.float32), 0.5, (20, 30))
    assert found.area == 600
    assert (found.pixels() == 255).all()


def test_a_mask_of_one_pixel_is_one() -> None:
    assert mask_above(np.ones((5, 5), np.float32), 0.5, (1, 1)).pixels().tolist() == [[255]]
    assert isinstance(mask_above(np.zeros((1, 1), np.float32), 0.5, (1, 1)), RunLengthMask)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (13, 17)])
def test_a_mask_comes_back_from_its_runs(share: float, shape: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(shape) < share
    found = RunLengthMask.of(mask)
    np.testing.assert_array_equal(found.pixels() > 0, mask)
    starts, stops = found.flat()
    assert all(mask.ravel()[start:stop].all() for start, stop in zip(starts, stops, strict=True))
