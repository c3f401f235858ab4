import math
import pickle

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, jaccard_score, roc_auc_score

from lesionseg.evaluation.probabilities import DEVIATION, MOST_POINTS, ProbabilityCounts, thinned

Image = tuple[NDArray[np.float32], NDArray[np.uint8]]


def _image(seed: int, shape: tuple[int, int] = (90, 110)) -> Image:
    """A round lesion and probabilities that mostly agree with it."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    target = np.hypot(rows - 40, columns - 50) < 25
    logits = np.where(target, 2.0, -2.0) + 2 * random.standard_normal(shape)
    return (1 / (1 + np.exp(-logits))).astype(np.float32), target.astype(np.uint8)


def _counted(*images: Image) -> ProbabilityCounts:
    counts = ProbabilityCounts()
    for probability, target in images:
        counts.merge(ProbabilityCounts.of_image(probability, target))
    return counts


def _pixels(*images: Image) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    return np.concatenate([t.ravel() for _, t in images]), np.concatenate([p.ravel() for p, _ in images])


IMAGES = (_image(1), _image(2), _image(3, (64, 200)))


def test_areas_are_those_of_the_raw_pixels():
    curves = _counted(*IMAGES).curves()
    truth, probability = _pixels(*IMAGES)

    # Only pixels whose probabilities share a thousandth can swap ranks: a share of at most some 1/1000 of all pairs,
    # and each of those counts half instead of 0 or 1.
    assert curves.roc_area == pytest.approx(roc_auc_score(truth, probability), abs=1e-4)
    assert curves.average_precision == pytest.approx(average_precision_score(truth, probability), abs=1e-3)


def test_brier_score_is_that_of_the_raw_pixels():
    truth, probability = _pixels(*IMAGES)

    # A level keeps its mean; what it loses is its variance, at most (1/1000 / 2) squared.
    assert _counted(*IMAGES).curves().brier == pytest.approx(brier_score_loss(truth, probability), abs=2.5e-7)


@pytest.mark.parametrize("step", [0, 1, 29, 50, 77, 99, 100])
def test_dice_and_jaccard_are_the_images_means_at_each_threshold(step: int):
    curves = _counted(*IMAGES).curves()
    threshold = np.float32(step / 100)

    dice = [f1_score(t.ravel(), (p > threshold).ravel(), zero_division=1.0) for p, t in IMAGES]
    jaccard = [jaccard_score(t.ravel(), (p > threshold).ravel(), zero_division=1.0) for p, t in IMAGES]
    assert curves.thresholds[step] == step / 100
    assert curves.dice[step] == pytest.approx(np.mean(dice), abs=1e-12)
    assert curves.jaccard[step] == pytest.approx(np.mean(jaccard), abs=1e-12)


def test_a_probability_at_the_threshold_is_skin_and_just_above_it_lesion():
    half = np.float32(0.5)
    at = ProbabilityCounts.of_image(np.array([[half]]), np.ones((1, 1), np.uint8)).curves()
    above = ProbabilityCounts.of_image(np.array([[np.nextafter(half, np.float32(1))]]), np.ones((1, 1), np.uint8))

    assert at.dice[50] == 0
    assert above.curves().dice[50] == 1


def test_points_on_the_curves_have_the_rates_of_the_raw_pixels():
    curves = _counted(*IMAGES).curves()
    truth, probability = _pixels(*IMAGES)
    lesion, skin = truth == 1, truth == 0

    for threshold in (0.1, 0.5, 0.9):
        found = probability > np.float32(threshold)
        false_positive_rate, recall = found[skin].mean(), found[lesion].mean()
        precision = lesion[found].mean()
        # Between kept points the line may be DEVIATION away, across; the curve is at most some ten times as steep here.
        assert np.interp(false_positive_rate, curves.false_positive_rate, curves.true_positive_rate) == pytest.approx(
            recall, abs=10 * DEVIATION
        )
        assert np.interp(recall, curves.recall, curves.precision) == pytest.approx(precision, abs=10 * DEVIATION)


def test_curves_start_and_end_at_the_corners_and_stay_short():
    curves = _counted(*IMAGES).curves()

    assert (curves.false_positive_rate[0], curves.true_positive_rate[0]) == (0, 0)
    assert (curves.false_positive_rate[-1], curves.true_positive_rate[-1]) == (1, 1)
    assert (curves.recall[0], curves.precision[0], curves.recall[-1]) == (0, 1, 1)
    assert list(curves.recall) == sorted(curves.recall)
    assert max(len(curves.recall), len(curves.false_positive_rate)) <= MOST_POINTS


def test_calibration_of_a_hand_made_example():
    # Ten pixels at 0.25, of which three are lesion, and ten at 0.95, of which eight are.
    probability = np.array([[0.25] * 10, [0.95] * 10], np.float32)
    target = np.array([[1] * 3 + [0] * 7, [1] * 8 + [0] * 2], np.uint8)
    curves = ProbabilityCounts.of_image(probability, target).curves()

    low, high = curves.calibration
    assert (low.low, low.high, low.pixels, low.frequency) == (0.2, 0.3, 10, 0.3)
    assert (high.low, high.high, high.pixels, high.frequency) == (0.9, 1.0, 10, 0.8)
    assert (low.confidence, high.confidence) == pytest.approx((0.25, 0.95))
    assert curves.calibration_error == pytest.approx((0.05 + 0.15) / 2)
    assert curves.brier == pytest.approx((3 * 0.75**2 + 7 * 0.25**2 + 8 * 0.05**2 + 2 * 0.95**2) / 20)


def test_a_bin_holds_its_upper_end_and_the_first_also_zero():
    probability = np.array([[0.0, 0.1, 0.1001, 1.0]], np.float32)
    curves = ProbabilityCounts.of_image(probability, np.array([[0, 0, 1, 1]], np.uint8)).curves()

    assert [(part.low, part.pixels) for part in curves.calibration] == [(0.0, 2), (0.1, 1), (0.9, 1)]


def test_merging_is_adding_together():
    together = ProbabilityCounts()
    for probability, target in IMAGES:
        together.add(probability, target)
    right = _counted(*IMAGES[1:])
    left = _counted(IMAGES[0])
    left.merge(pickle.loads(pickle.dumps(right)))  # as it travels between processes

    assert left.images == together.images == 3
    np.testing.assert_array_equal(left.pixels, together.pixels)
    for name in ("sums", "dice", "jaccard"):
        np.testing.assert_allclose(getattr(left, name), getattr(together, name), rtol=1e-12)


def test_every_pixel_of_a_large_image_is_counted_once():
    probability, target = _image(4, (700, 500))  # more than one block
    counts = ProbabilityCounts.of_image(probability, target)

    assert counts.pixels.sum(axis=1).tolist() == [target.size - target.sum(), target.sum()]
    assert counts.sums.sum() == pytest.approx(probability.sum(dtype=float))


@pytest.mark.parametrize("lesion", [0, 1])
def test_truth_of_one_kind_has_no_areas(lesion: int):
    probability, _ = _image(1)
    curves = ProbabilityCounts.of_image(probability, np.full(probability.shape, lesion, np.uint8)).curves()

    assert curves.roc_area is None
    assert curves.average_precision is None
    assert list(curves.recall) == list(curves.false_positive_rate) == []
    assert math.isfinite(curves.brier)


def test_an_empty_prediction_of_an_empty_truth_is_perfect():
    curves = ProbabilityCounts.of_image(np.full((4, 4), 0.3, np.float32), np.zeros((4, 4), np.uint8)).curves()

    assert (curves.dice[29], curves.dice[31]) == (0, 1)
    assert (curves.jaccard[29], curves.jaccard[31]) == (0, 1)


@pytest.mark.parametrize(
    ("probability", "target"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint8)),
        (np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), np.uint8)),
        (np.full((2, 2), 1.01, np.float32), np.zeros((2, 2), np.uint8)),
        (np.full((2, 2), -0.01, np.float32), np.zeros((2, 2), np.uint8)),
        (np.zeros((2, 2), np.float32), np.full((2, 2), 255, np.uint8)),
        (np.zeros((0, 2), np.float32), np.zeros((0, 2), np.uint8)),
    ],
)
def test_what_cannot_be_counted_is_refused(probability: NDArray[np.float32], target: NDArray[np.uint8]):
    with pytest.raises(ValueError, match="allowed"):
        ProbabilityCounts.of_image(probability, target)


def test_there_are_no_curves_of_nothing():
    with pytest.raises(ValueError, match="at least one image"):
        ProbabilityCounts().curves()


def test_a_thinned_line_runs_where_the_full_one_did():
    x = np.linspace(0, 1, 1001)
    line = thinned(np.array([x, np.sqrt(x)]))

    assert line.shape[1] < 100
    assert np.abs(np.interp(x, *line) - np.sqrt(x))[x > 0.01].max() < 10 * DEVIATION


def test_a_jagged_line_keeps_the_most_points():
    jagged = np.array([np.linspace(0, 1, 1001), np.arange(1001) % 2])

    assert thinned(jagged).shape[1] == MOST_POINTS
