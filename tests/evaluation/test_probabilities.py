import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, jaccard_score, roc_auc_score

from lesionseg.evaluation import probabilities
from lesionseg.evaluation.probabilities import (
    DEVIATION,
    LEVELS,
    MOST_POINTS,
    ImageProbabilities,
    ProbabilityCounts,
    levels_of,
    thinned,
)
from lesionseg.evaluation.summary import Curves

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
    for image in images:
        counts.add(ImageProbabilities.of(*image))
    return counts


def _pixels(*images: Image) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    return np.concatenate([t.ravel() for _, t in images]), np.concatenate([p.ravel() for p, _ in images])


IMAGES = (_image(1), _image(2), _image(3, (64, 200)))


@pytest.fixture(scope="module")
def curves() -> Curves:
    return _counted(*IMAGES).curves()


def test_areas_and_brier_score_are_those_of_the_raw_pixels(curves: Curves):
    truth, probability = _pixels(*IMAGES)

    assert curves.roc_area == pytest.approx(roc_auc_score(truth, probability), abs=1e-6)
    assert curves.average_precision == pytest.approx(average_precision_score(truth, probability), abs=1e-5)
    assert curves.brier == pytest.approx(brier_score_loss(truth, probability), abs=1e-7)


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


def _bfloat16(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return torch.tensor(values, dtype=torch.bfloat16).float().numpy()


CROWDS: dict[str, Callable[[NDArray[np.float64]], NDArray[Any]]] = {
    "spread out": _sigmoid,
    "around 1e-7": lambda logits: 1e-7 * _sigmoid(logits),
    "around 1 - 1e-6": lambda logits: 1 - 1e-6 * _sigmoid(-logits),
    "saturated": lambda logits: _sigmoid(40 * logits),
    "far below what is shown": lambda logits: _sigmoid(-60 + 5 * logits),
    "in an untrained network's narrow band": lambda logits: 0.47 + 0.002 * np.tanh(logits),
    "all equal": lambda logits: np.full_like(logits, 0.3),
    "0 and 1": lambda logits: (logits > 0).astype(float),
    "bf16": lambda logits: _bfloat16(_sigmoid(logits)),
    "saturated bf16": lambda logits: _bfloat16(_sigmoid(9 * logits)),
    "thousandths": lambda logits: _sigmoid(logits).round(3),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_areas_are_exact_wherever_probabilities_crowd(crowd: str):
    random = np.random.default_rng(0)
    truth = random.random((200, 500)) < 0.15
    probability = CROWDS[crowd](np.where(truth, 1.0, -1.0) + random.standard_normal(truth.shape)).astype(np.float32)
    curves = _counted((probability, truth.astype(np.uint8))).curves()

    assert curves.roc_area == pytest.approx(roc_auc_score(truth.ravel(), probability.ravel()), abs=5e-5)
    average_precision = average_precision_score(truth.ravel(), probability.ravel())
    assert curves.average_precision == pytest.approx(average_precision, abs=5e-5)


@pytest.mark.parametrize("width", [1e-4, 1e-5, 1e-6])
def test_what_areas_may_be_off_is_told_where_too_many_lie_close_together(width: float):
    random = np.random.default_rng(0)
    truth = random.random((200, 500)) < 0.3
    logits = np.where(truth, 1.0, -1.0) + random.standard_normal(truth.shape)
    probability = (0.5 + width * np.tanh(logits)).astype(np.float32)
    curves = _counted((probability, truth.astype(np.uint8))).curves()
    area = roc_auc_score(truth.ravel(), probability.ravel())
    average_precision = average_precision_score(truth.ravel(), probability.ravel())

    assert abs(curves.roc_area - area) <= curves.roc_area_error
    assert abs(curves.average_precision - average_precision) <= curves.average_precision_error
    assert curves.roc_area_error > 1e-4


def test_equal_probabilities_are_no_doubt():
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    curves = _counted((np.array([[0.3, 0.3, 0.3, 0.3]], np.float32), truth)).curves()

    assert (curves.roc_area, curves.roc_area_error) == (0.5, 0.0)
    assert (curves.average_precision, curves.average_precision_error) == (0.5, 0.0)


def test_levels_rise_with_the_probability_a_millionth_at_a_time_and_finer_at_the_ends():
    random = np.random.default_rng(0)
    small, middle = np.exp(random.uniform(-85, 0, 60_000)), random.random(60_000)
    ends = [0, 2**-10, 1 - 2**-10, 1]
    values = np.unique(np.concatenate([small, 1 - small, middle, ends]).astype(np.float32))
    levels = levels_of(values)

    assert (levels[0], levels[-1]) == (0, LEVELS - 1)
    assert (np.diff(levels) >= 0).all()
    same = np.flatnonzero(np.diff(levels) == 0)
    low, high = values[same].astype(float), values[same + 1].astype(float)
    assert len(same) > 1_000
    assert (high - low <= np.where(high < 2**-10, low * 2**-11, 2**-20)).all()
    assert high.max() <= 1 - 2**-10  # above, no two values share a level


@pytest.mark.parametrize("step", [0, 1, 29, 50, 77, 99, 100])
def test_dice_and_jaccard_are_the_images_means_at_each_threshold(curves: Curves, step: int):
    threshold = np.float32(step / 100)

    dice = [f1_score(t.ravel(), (p > threshold).ravel(), zero_division=1.0) for p, t in IMAGES]
    jaccard = [jaccard_score(t.ravel(), (p > threshold).ravel(), zero_division=1.0) for p, t in IMAGES]
    assert curves.thresholds[step] == step / 100
    assert curves.dice[step] == pytest.approx(np.mean(dice), abs=1e-12)
    assert curves.jaccard[step] == pytest.approx(np.mean(jaccard), abs=1e-12)


@pytest.mark.parametrize("threshold", [0.5, 0.29, 0.07])
def test_a_probability_at_the_threshold_is_skin_and_just_above_it_lesion(threshold: float):
    at, lesion = np.full((1, 1), threshold, np.float32), np.ones((1, 1), np.uint8)
    above = np.nextafter(at, np.float32(1))

    assert _counted((at, lesion)).curves().dice[round(100 * threshold)] == 0
    assert _counted((above, lesion)).curves().dice[round(100 * threshold)] == 1


def test_points_on_the_curves_have_the_rates_of_the_raw_pixels(curves: Curves):
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


def test_curves_start_and_end_at_the_corners_and_stay_short(curves: Curves):
    assert (curves.false_positive_rate[0], curves.true_positive_rate[0]) == (0, 0)
    assert (curves.false_positive_rate[-1], curves.true_positive_rate[-1]) == (1, 1)
    assert (curves.recall[0], curves.precision[0], curves.recall[-1]) == (0, 1, 1)
    assert list(curves.recall) == sorted(curves.recall)
    assert max(len(curves.recall), len(curves.false_positive_rate)) <= MOST_POINTS


def test_calibration_of_a_hand_made_example():
    # Ten pixels at 0.25, of which three are lesion, and ten at 0.95, of which eight are.
    probability = np.array([[0.25] * 10, [0.95] * 10], np.float32)
    target = np.array([[1] * 3 + [0] * 7, [1] * 8 + [0] * 2], np.uint8)
    curves = _counted((probability, target)).curves()

    low, high = curves.calibration
    assert (low.low, low.high, low.pixels, low.frequency) == (0.2, 0.3, 10, 0.3)
    assert (high.low, high.high, high.pixels, high.frequency) == (0.9, 1.0, 10, 0.8)
    assert (low.confidence, high.confidence) == pytest.approx((0.25, 0.95))
    assert curves.calibration_error == pytest.approx((0.05 + 0.15) / 2)
    assert curves.brier == pytest.approx((3 * 0.75**2 + 7 * 0.25**2 + 8 * 0.05**2 + 2 * 0.95**2) / 20)


def test_a_bin_holds_its_upper_end_and_the_first_also_zero():
    probability = np.array([[0.0, 0.1, 0.1001, 1.0]], np.float32)
    curves = _counted((probability, np.array([[0, 0, 1, 1]], np.uint8))).curves()

    assert [(part.low, part.pixels) for part in curves.calibration] == [(0.0, 2), (0.1, 1), (0.9, 1)]


def test_merging_is_adding_together():
    together, right, left = _counted(*IMAGES), _counted(*IMAGES[1:]), _counted(IMAGES[0])
    left.merge(pickle.loads(pickle.dumps(right)))  # as it travels between processes

    assert left.images == together.images == 3
    for name in ("pixels", "lowest", "highest", "bins"):
        np.testing.assert_array_equal(getattr(left, name), getattr(together, name))
    for name in ("bin_sums", "squares", "dice", "jaccard"):
        np.testing.assert_allclose(getattr(left, name), getattr(together, name), rtol=1e-12)


def test_every_pixel_of_a_large_image_is_counted_once(monkeypatch: pytest.MonkeyPatch):
    probability, target = _image(4, (70, 50))
    whole = _counted((probability, target)).curves()
    monkeypatch.setattr(probabilities, "BLOCK", 999)
    counts = _counted((probability, target))

    assert counts.pixels.sum(axis=1).tolist() == [target.size - target.sum(), target.sum()]
    assert counts.bin_sums.sum() == pytest.approx(probability.sum(dtype=float))
    assert counts.curves().dice == pytest.approx(whole.dice)
    assert counts.curves().roc_area == whole.roc_area


@pytest.mark.parametrize("lesion", [0, 1])
def test_truth_of_one_kind_has_no_areas(lesion: int):
    probability, _ = _image(1)
    curves = _counted((probability, np.full(probability.shape, lesion, np.uint8))).curves()

    assert curves.roc_area is None
    assert curves.average_precision is None
    assert list(curves.recall) == list(curves.false_positive_rate) == []
    assert math.isfinite(curves.brier)


def test_an_empty_prediction_of_an_empty_truth_is_perfect():
    curves = _counted((np.full((4, 4), 0.3, np.float32), np.zeros((4, 4), np.uint8))).curves()

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
        ImageProbabilities.of(probability, target)


def test_there_are_no_curves_of_nothing():
    with pytest.raises(ValueError, match="at least one image"):
        ProbabilityCounts().curves()


def test_a_thinned_line_runs_where_the_full_one_did():
    x = np.linspace(0, 1, 1001)
    line = thinned(np.array([x, np.sqrt(x)]))

    assert line.shape[1] < 100
    assert np.abs(np.interp(x, *line) - np.sqrt(x))[x > 0.01].max() < 10 * DEVIATION


def test_a_jagged_line_keeps_the_most_points():
    jagged = np.array([np.linspace(0, 1, 1001), np.random.default_rng(0).random(1001)])

    assert MOST_POINTS / 2 < thinned(jagged).shape[1] <= MOST_POINTS
