"""Intervals and tests against textbooks, scipy's plain use, and simulation."""

import warnings

import numpy as np
import pytest
from scipy import stats

from lesionseg.evaluation.statistics import (
    Difference,
    holm,
    mean_intervals,
    paired_difference,
    paired_differences,
    ratio_intervals,
    signed_rank_p,
)


def test_intervals_are_those_of_scipy_for_the_mean() -> None:
    values = np.random.default_rng(1).beta(12, 2, 80)
    expected = stats.bootstrap((values,), np.mean, n_resamples=2_000, random_state=np.random.default_rng(7))
    (interval,) = mean_intervals(values[np.newaxis], resamples=2_000, seed=7)
    assert interval == pytest.approx(tuple(expected.confidence_interval), abs=1e-9)


def test_pooled_intervals_are_those_of_scipy_for_paired_samples() -> None:
    generator = np.random.default_rng(2)
    below = generator.integers(100, 1_000, 60).astype(float)
    above = below * generator.beta(9, 2, 60)
    expected = stats.bootstrap(
        (above, below),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=2_000,
        random_state=np.random.default_rng(3),
    )
    (interval,) = ratio_intervals(above[np.newaxis], below[np.newaxis], resamples=2_000, seed=3)
    assert interval == pytest.approx(tuple(expected.confidence_interval), abs=1e-9)


def test_a_row_has_the_same_interval_alone_and_among_others() -> None:
    values = np.random.default_rng(0).random((5, 40))
    together = mean_intervals(values, resamples=500, seed=0)
    alone = [mean_intervals(row[np.newaxis], resamples=500, seed=0)[0] for row in values]
    assert np.array(alone) == pytest.approx(np.array(together), abs=1e-9)


def test_the_seed_decides_the_resamples() -> None:
    values = np.random.default_rng(0).random((1, 40))
    assert mean_intervals(values, resamples=500, seed=0) == mean_intervals(values, resamples=500, seed=0)
    assert mean_intervals(values, resamples=500, seed=0) != mean_intervals(values, resamples=500, seed=1)


def test_equal_values_leave_no_doubt_and_one_image_allows_no_interval() -> None:
    assert mean_intervals(np.full((2, 9), 0.1), resamples=100, seed=0) == [(0.1, 0.1)] * 2
    assert mean_intervals(np.array([[0.3], [1.0]]), resamples=100, seed=0) == [None, None]
    assert ratio_intervals(np.ones((1, 1)), np.ones((1, 1)), resamples=100, seed=0) == [None]


def test_the_interval_of_a_skewed_score_reaches_further_to_its_tail() -> None:
    values = np.array([1.0] * 37 + [0.0] * 3)
    (interval,) = mean_intervals(values[np.newaxis], resamples=5_000, seed=0)
    assert interval is not None
    assert values.mean() - interval[0] > 1.5 * (interval[1] - values.mean())


def test_pooled_scores_weigh_images_by_their_pixels() -> None:
    equal = np.array([[1.0, 2.0, 3.0, 4.0]])
    assert ratio_intervals(equal / 2, equal, resamples=200, seed=0) == [(0.5, 0.5)]


def test_images_without_pixels_in_the_denominator_count_for_nothing() -> None:
    above, below = np.array([[5.0, 9.0, 0, 0, 0]]), np.array([[10.0, 10.0, 0, 0, 0]])
    (interval,) = ratio_intervals(above, below, resamples=2_000, seed=0)
    assert interval == pytest.approx((0.5, 0.9), abs=1e-9)


def test_a_ratio_that_exists_nowhere_has_no_interval_and_the_other_rows_keep_theirs() -> None:
    above = np.array([[0.0, 0, 0], [1, 2, 2]])
    below = np.array([[0.0, 0, 0], [2, 4, 4]])
    assert ratio_intervals(above, below, resamples=200, seed=0) == [None, (0.5, 0.5)]


def test_a_ratio_that_hangs_on_one_image_has_the_percentiles() -> None:
    above, below = np.array([[1.0, 0, 0]]), np.array([[4.0, 0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ratio_intervals(above, below, resamples=200, seed=0) == [(0.25, 0.25)]


def test_about_95_of_100_intervals_of_a_skewed_score_hold_the_true_mean() -> None:
    generator = np.random.default_rng(0)
    values = generator.beta(12, 2, (400, 120))  # 400 repetitions of 120 images
    held = [low <= 12 / 14 <= high for low, high in filter(None, mean_intervals(values, resamples=1_000, seed=0))]
    assert len(held) == 400
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_difference_is_paired_by_image() -> None:
    second = np.random.default_rng(0).random(50)
    found = paired_difference(second + 0.125, second, resamples=200, seed=0)
    assert found == Difference(0.125, 0.125, 0.125)


def test_one_image_has_a_difference_without_interval() -> None:
    assert paired_difference(np.array([0.75]), np.array([0.5]), resamples=100, seed=0) == Difference(0.25, None, None)


def test_no_pairs_have_no_differences() -> None:
    assert paired_differences([], resamples=100, seed=0) == []


def test_the_signed_rank_test_is_exact_for_few_images() -> None:
    # All of five differences are positive: 2 of the 2**5 signs are as extreme.
    first = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    assert signed_rank_p(first, first - [0.1, 0.2, 0.05, 0.3, 0.4]) == pytest.approx(2 / 2**5)


def test_the_signed_rank_test_repeats_wilcoxons_plants() -> None:
    # Darwin's maize, the example of Hollander & Wolfe and of scipy's manual: W = 24, p = 0.041.
    differences = np.array([6.0, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75])
    assert signed_rank_p(differences, np.zeros(15)) == pytest.approx(0.04126, abs=5e-6)


def test_images_where_both_score_the_same_are_dropped() -> None:
    generator = np.random.default_rng(0)
    first, second, same = generator.random(100), generator.random(100), generator.random(70)
    alone = signed_rank_p(first, second)
    assert signed_rank_p(np.append(first, same), np.append(second, same)) == pytest.approx(alone)


def test_rounding_is_no_difference() -> None:
    assert signed_rank_p(np.full(30, 0.1 + 0.2), np.full(30, 0.3)) == 1.0


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # Wikipedia, "Holm-Bonferroni method"
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),  # R: p.adjust(p, "holm")
        ([0.6, 0.9], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
    ],
)
def test_holm_repeats_known_examples(raw: list[float], adjusted: list[float]) -> None:
    assert holm(raw) == pytest.approx(adjusted)
