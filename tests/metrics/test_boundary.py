import math

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, generate_binary_structure
from scipy.spatial.distance import cdist

from lesionseg.metrics.boundary import boundary_scores

SIZES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3), (5, 8), (16, 16), (31, 17), (40, 40)]
PERFECT = {"hd95_px": 0, "hd95": 0, "surface_distance_px": 0, "surface_distance": 0, "boundary_f1": 1}


def by_brute_force(prediction, target, tolerance):
    """Every outline point against every other, by SciPy's definition of an outline."""
    diagonal = math.hypot(*target.shape)
    if not prediction.any() or not target.any():
        same = prediction.any() == target.any()
        percent = 0 if same else 100
        pixels = 0 if same else diagonal
        return [pixels, percent, pixels, percent, float(same)]
    outlines = []
    for mask in (prediction, target):
        inside = binary_erosion(mask, generate_binary_structure(2, 1), border_value=0)
        outlines.append(np.argwhere(mask.astype(bool) & ~inside))
    between = cdist(*outlines)
    there, back = between.min(axis=1), between.min(axis=0)
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    mean = np.concatenate([there, back]).mean()
    precision, recall = (np.mean(each <= tolerance / 100 * diagonal) for each in (there, back))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return [hd95, 100 * hd95 / diagonal, mean, 100 * mean / diagonal, f1]


def noise(generator, shape, share):
    return (generator.random(shape) < share).astype(np.uint8)


def square(top, left, size, shape=(40, 40)):
    mask = np.zeros(shape, np.uint8)
    mask[top : top + size, left : left + size] = 1
    return mask


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])  # specks, many components, full with holes
def test_equals_brute_force_on_noise(shape, share):
    generator = np.random.default_rng(0)
    for _ in range(10):
        masks = noise(generator, shape, share), noise(generator, shape, 0.5)
        for tolerance in (0.75, 5.0, 40.0):
            scores = boundary_scores(*masks, tolerance=tolerance)
            assert list(scores.values()) == pytest.approx(by_brute_force(*masks, tolerance), abs=1e-9, rel=1e-9)


def test_equals_brute_force_on_rings_and_lesions_cut_off_by_the_border():
    ring = square(5, 5, 20) - square(10, 10, 6)
    shapes = [ring, square(0, 0, 40), square(30, 30, 10), square(0, 3, 4) + square(25, 25, 9), square(20, 0, 7)]
    for prediction in shapes:
        for target in shapes:
            scores = boundary_scores(prediction, target, tolerance=5)
            assert list(scores.values()) == pytest.approx(by_brute_force(prediction, target, 5), abs=1e-9)


def test_two_pixels_three_and_four_apart_are_five_apart():
    prediction, target = square(0, 0, 1, (30, 40)), square(3, 4, 1, (30, 40))  # the diagonal is 50
    scores = boundary_scores(prediction, target, tolerance=10)
    assert scores == {"hd95_px": 5, "hd95": 10, "surface_distance_px": 5, "surface_distance": 10, "boundary_f1": 1}
    assert boundary_scores(prediction, target, tolerance=9.9)["boundary_f1"] == 0


def test_hd95_takes_the_larger_direction_and_interpolates():
    target = np.zeros((1, 50), np.uint8)
    target[0, 0] = 1
    prediction = target.copy()
    prediction[0, 10] = 1
    scores = boundary_scores(prediction, target, tolerance=1)
    assert scores["hd95_px"] == pytest.approx(9.5)  # of the distances 0 and 10; the other direction is 0
    assert scores["surface_distance_px"] == pytest.approx(10 / 3)
    assert scores["boundary_f1"] == pytest.approx(2 / 3)  # precision 1/2, recall 1


def test_a_filled_lesion_equals_its_own_outline_but_not_one_with_a_hole():
    filled = square(10, 10, 9)
    assert boundary_scores(filled, filled - square(11, 11, 7), tolerance=0.1) == PERFECT
    assert boundary_scores(filled, filled - square(14, 14, 1), tolerance=0.1)["hd95_px"] > 0  # a hole has an outline


def test_swapping_the_masks_changes_nothing():
    generator = np.random.default_rng(1)
    for share in (0.05, 0.4, 0.9):
        first, second = noise(generator, (25, 33), share), noise(generator, (25, 33), 0.5)
        there, back = (boundary_scores(*pair, tolerance=3) for pair in ((first, second), (second, first)))
        assert there == pytest.approx(back, abs=1e-12)


def test_a_mask_agrees_with_itself():
    for mask in (square(3, 4, 20), square(0, 0, 40), np.zeros((40, 40), np.uint8)):
        assert boundary_scores(mask, mask.copy(), tolerance=0.75) == PERFECT


def test_a_missed_and_an_imagined_lesion_are_the_whole_diagonal_away():
    lesion, nothing = square(0, 0, 5, (30, 40)), np.zeros((30, 40), np.uint8)
    for pair in ((lesion, nothing), (nothing, lesion)):
        scores = boundary_scores(*pair, tolerance=100)
        assert scores == {
            "hd95_px": 50,
            "hd95": 100,
            "surface_distance_px": 50,
            "surface_distance": 100,
            "boundary_f1": 0,
        }


def test_masks_that_are_no_contiguous_arrays_are_scored_alike():
    generator = np.random.default_rng(2)
    wide = noise(generator, (20, 30, 2), 0.5)
    views = wide[..., 0], wide[..., 1]
    copies = [np.ascontiguousarray(view) for view in views]
    assert boundary_scores(*views, tolerance=1) == boundary_scores(*copies, tolerance=1)


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(5, 4\)"):
        boundary_scores(np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8), tolerance=1)
