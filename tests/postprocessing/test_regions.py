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
