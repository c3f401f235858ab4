from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from lesionseg.postprocessing.postprocessing import Postprocessing, with_regions
from lesionseg.postprocessing.run_length import RunLengthMask

Mask = np.ndarray
EITHER_WAY = np.ones((3, 3))
"""Neighbours by side or corner."""


def drawn(*rows: str) -> Mask:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def changed(mask: Mask, *, largest: bool, fill: bool) -> Mask:
    return with_regions(RunLengthMask.of(mask), largest_component=largest, fill_holes=fill).pixels() > 0


def blobs(seed: int, shape: tuple[int, int]) -> Mask:
    noise = np.random.default_rng(seed).random(shape)
    return cv2.GaussianBlur(noise, (0, 0), [0.3, 1.0, 2.0][seed % 3]) > 0.5 + 0.02 * (seed % 5 - 2)


SHAPES = [(1, 1), (1, 40), (40, 1), (2, 3), (33, 47), (64, 64)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(10))
def test_holes_are_those_that_scipy_fills(seed: int, shape: tuple[int, int]) -> None:
    mask = blobs(seed, shape)
    np.testing.assert_array_equal(changed(mask, largest=False, fill=True), ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(10))
def test_what_is_kept_is_scipys_largest_region(seed: int, shape: tuple[int, int]) -> None:
    mask = blobs(seed, shape)
    regions, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, regions, range(1, count + 1))
    kept = changed(mask, largest=True, fill=False)
    if not count:
        assert not kept.any()
    else:
        np.testing.assert_array_equal(kept, regions == np.argmax(sizes) + 1)  # the first of equal ones


def test_nothing_is_changed_where_nothing_is_asked_for() -> None:
    mask = blobs(1, (20, 20))
    np.testing.assert_array_equal(changed(mask, largest=False, fill=False), mask)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("fill", [False, True])
def test_no_lesion_stays_no_lesion_and_all_lesion_all(largest: bool, fill: bool) -> None:
    for everywhere in (False, True):
        mask = np.full((5, 7), everywhere)
        np.testing.assert_array_equal(changed(mask, largest=largest, fill=fill), mask)


def test_a_hand_drawn_mask_loses_its_speck_and_its_holes() -> None:
    mask = drawn(
        "..........#",
        ".####...#..",
        ".#..#..##..",
        ".##.#......",
        ".####......",
        "...#.......",
    )
    expected = drawn(
        "...........",
        ".####......",
        ".####......",
        ".####......",
        ".####......",
        "...#.......",
    )
    np.testing.assert_array_equal(changed(mask, largest=True, fill=True), expected)


def test_skin_that_reaches_the_border_is_no_hole() -> None:
    bay = drawn("####", "#..#", "#.##", "#.#.")
    np.testing.assert_array_equal(changed(bay, largest=False, fill=True), bay)


def test_skin_that_can_be_left_through_a_corner_alone_is_a_hole() -> None:
    mask = drawn("###.", "#.#.", "##..", "....")
    np.testing.assert_array_equal(changed(mask, largest=False, fill=True), drawn("###.", "###.", "##..", "...."))


def test_parts_that_meet_at_a_corner_are_two() -> None:
    mask = drawn("##..", "##..", "..#.", "....")
    np.testing.assert_array_equal(changed(mask, largest=True, fill=False), drawn("##..", "##..", "....", "...."))


def test_a_speck_in_a_hole_does_not_keep_it_open() -> None:
    mask = drawn("#####", "#...#", "#.#.#", "#...#", "#####")
    assert changed(mask, largest=True, fill=True).all()
    assert changed(mask, largest=False, fill=True).all()


@pytest.mark.parametrize("seed", range(40))
def test_one_region_without_holes_comes_of_any_probability_at_any_size(seed: int) -> None:
    """However the network's size and the photograph's are, and by sides and corners alike."""
    generator = np.random.default_rng(seed)
    noise = generator.random((24, 24)).astype(np.float32)
    probability = cv2.GaussianBlur(noise, (0, 0), [0.4, 1.5][seed % 2])
    postprocessing = Postprocessing(threshold=0.5, largest_component=True, fill_holes=True)
    for shape in (tuple(generator.integers(1, 24, 2)), tuple(generator.integers(25, 150, 2))):
        mask = postprocessing.mask(probability, (int(shape[0]), int(shape[1]))).pixels() > 0
        assert ndimage.label(mask)[1] <= 1
        surrounded = np.pad(~mask, 1, constant_values=True)
        assert ndimage.label(surrounded)[1] == ndimage.label(surrounded, EITHER_WAY)[1] == 1


def test_one_region_at_the_networks_size_can_be_two_at_another() -> None:
    """Why regions are taken out of the mask itself: a neck of one row is hardly above the threshold."""
    probability = np.zeros((5, 10), np.float32)
    probability[1:4, 1:4] = probability[1:4, 6:9] = 1
    probability[2, 4:6] = 0.51
    plain = Postprocessing(threshold=0.5)
    assert ndimage.label(plain.mask(probability, (5, 10)).pixels())[1] == 1
    assert ndimage.label(plain.mask(probability, (10, 20)).pixels(), EITHER_WAY)[1] == 2
    one = Postprocessing(threshold=0.5, largest_component=True)
    assert ndimage.label(one.mask(probability, (10, 20)).pixels())[1] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0; allowed: between 0 and 1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"views": "all"}, "views is all; allowed: none, flips, turns"),
        ({"largest_component": 1}, "largest_component is 1; allowed: true, false"),
        ({"fill_holes": "no"}, "fill_holes is no"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Postprocessing(**({"threshold": 0.5} | change))


def test_it_is_described_in_one_line() -> None:
    assert Postprocessing(threshold=0.5).in_words() == (
        "lesion is where the probability, resized to the ground truth's size, is above 0.5"
    )
    assert Postprocessing(threshold=0.45, views="flips", largest_component=True, fill_holes=True).in_words() == (
        "lesion is where the mean probability of the image and its three flips, resized to the ground truth's size, "
        "is above 0.45; only the largest region is kept; holes are filled"
    )


def test_a_mask_of_pixels_and_one_of_runs_are_changed_alike() -> None:
    probability = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    postprocessing = Postprocessing(threshold=0.4, largest_component=True, fill_holes=True)
    mask = postprocessing.regions_of(probability > np.float32(0.4))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, postprocessing.mask(probability, (30, 30)).pixels() > 0)


def test_a_mask_is_not_copied_where_there_is_nothing_to_do() -> None:
    mask = np.ones((3, 3), bool)
    assert Postprocessing(threshold=0.5).regions_of(mask) is mask
