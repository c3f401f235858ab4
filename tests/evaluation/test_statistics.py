"""Intervals and tests against textbooks, scipy's plain use, and simulation."""

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lesionseg.evaluation import statistics
from lesionseg.evaluation.statistics import (
    Difference,
    holm,
    mean_intervals,
    paired_differences,
    ratio_intervals,
    signed_rank_p,
)

SHARES = [(0.0, 1.0)]


def paired_difference(first: Any, second: Any, *, resamples: int, seed: int) -> Difference:
    (difference,) = paired_differences([(first, second)], resamples=resamples, seed=seed)
    return difference


def interval_of(values: Any, *, ends: tuple[float, float] = (0.0, 1.0), resamples: int = 2_000) -> tuple[float, float]:
    (interval,) = mean_intervals(np.array([values], float), ends=[ends], resamples=resamples, seed=0)
    assert interval is not None
    return interval


@pytest.mark.parametrize(
    ("successes", "images", "interval"),
    [
        # Wilson's intervals in the table of Newcombe, Statistics in Medicine 17, 1998, 857-872.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_a_rate_has_wilsons_interval(successes: int, images: int, interval: tuple[float, float]) -> None:
    assert interval_of([1.0] * successes + [0.0] * (images - successes)) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize(("failures", "images"), [(0, 20), (1, 20), (3, 50), (20, 20)])
def test_scores_at_the_ends_alone_have_the_interval_of_jeffreys_prior(failures: int, images: int) -> None:
    values = [100.0] * failures + [0.0] * (images - failures)
    expected = 100 * stats.beta(failures + 0.5, images - failures + 0.5).ppf([0.025, 0.975])
    low, high = interval_of(values, ends=(0, 100), resamples=100_000)
    assert (low, high) == pytest.approx((min(expected[0], np.mean(values)), max(expected[1], np.mean(values))), abs=0.2)


def test_for_many_images_intervals_are_those_of_scipys_bootstrap() -> None:
    values = np.random.default_rng(1).beta(12, 2, 3_000)
    expected = stats.bootstrap((values,), np.mean, n_resamples=2_000, random_state=np.random.default_rng(7))
    width = expected.confidence_interval.high - expected.confidence_interval.low
    assert interval_of(values) == pytest.approx(tuple(expected.confidence_interval), abs=0.1 * width)


def test_for_many_images_pooled_intervals_are_those_of_scipys_bootstrap() -> None:
    generator = np.random.default_rng(2)
    below = generator.integers(100, 1_000, 3_000).astype(float)
    above = below * generator.beta(9, 2, 3_000)
    expected = stats.bootstrap(
        (above, below),
        lambda a, b, axis: a.sum(axis) / b.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=2_000,
        random_state=np.random.default_rng(3),
    ).confidence_interval
    (interval,) = ratio_intervals(above[np.newaxis], below[np.newaxis], resamples=2_000, seed=3)
    assert interval == pytest.approx(tuple(expected), abs=0.1 * (expected.high - expected.low))


def test_for_many_images_differences_have_the_interval_of_scipys_paired_t_test() -> None:
    generator = np.random.default_rng(4)
    first = generator.beta(12, 2, 3_000)
    second = first + generator.normal(0.01, 0.05, 3_000)
    expected = stats.ttest_rel(first, second).confidence_interval()
    found = paired_difference(first, second, resamples=2_000, seed=0)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.1 * (expected.high - expected.low))


def test_a_row_has_the_same_interval_alone_and_among_others() -> None:
    values = np.random.default_rng(0).random((5, 40))
    together = mean_intervals(values, ends=SHARES * 5, resamples=500, seed=0)
    alone = [mean_intervals(row[np.newaxis], ends=SHARES, resamples=500, seed=0)[0] for row in values]
    assert np.array(alone) == pytest.approx(np.array(together), abs=1e-9)


def test_the_seed_decides_the_weights() -> None:
    values = np.random.default_rng(0).random((1, 40))
    first, again, other = (mean_intervals(values, ends=SHARES, resamples=500, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_drawing_in_batches_leaves_out_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(40)
    whole = interval_of(values)
    monkeypatch.setattr(statistics, "BATCH_ELEMENTS", 40 * 300)
    assert interval_of(values) == pytest.approx(whole, abs=0.01)
    assert sum(one.shape[1] for one in statistics._weights(40, 1_000, 0)) == 1_000


def test_one_image_allows_no_interval() -> None:
    assert mean_intervals(np.array([[0.3], [1.0]]), ends=SHARES * 2, resamples=100, seed=0) == [None, None]
    assert ratio_intervals(np.ones((1, 1)), np.ones((1, 1)), resamples=100, seed=0) == [None]


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_images_of_one_score_leave_a_doubt_and_the_interval_holds_their_mean(value: float) -> None:
    low, high = interval_of([value] * 9)
    assert low <= value <= high
    assert high - low > 0.05


def test_the_interval_of_a_skewed_score_reaches_further_to_its_tail() -> None:
    values = np.random.default_rng(0).beta(12, 2, 40)
    low, high = interval_of(values)
    assert values.mean() - low > 1.3 * (high - values.mean())


def test_images_without_pixels_in_the_denominator_count_for_nothing() -> None:
    above, below = np.array([[500.0, 900.0, 0, 0, 0]]), np.array([[1_000.0, 1_000.0, 0, 0, 0]])
    (interval,) = ratio_intervals(above, below, resamples=2_000, seed=0)
    assert interval is not None
    assert interval[0] < 0.5 < 0.7 < interval[1]


def test_a_ratio_that_exists_nowhere_has_no_interval_and_the_other_rows_keep_theirs() -> None:
    above = np.array([[0.0, 0, 0], [1, 2, 2]])
    below = np.array([[0.0, 0, 0], [2, 4, 4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing, half = ratio_intervals(above, below, resamples=200, seed=0)
    assert nothing is None
    assert half is not None
    assert half[0] < 0.5 < half[1]


@pytest.mark.parametrize("images", [20, 50, 150])
@pytest.mark.parametrize("failed", [0.05, 0.08])
def test_93_to_97_of_100_intervals_of_few_skewed_scores_hold_the_true_mean(images: int, failed: float) -> None:
    generator = np.random.default_rng(0)
    shape = (600, images)
    good, bad = generator.beta(12, 2, shape), generator.beta(2, 3, shape)
    values = np.where(generator.random(shape) < failed, bad, good)
    truth = (1 - failed) * 12 / 14 + failed * 2 / 5
    found = mean_intervals(values, ends=SHARES * 600, resamples=1_000, seed=0)
    held = [low <= truth <= high for low, high in filter(None, found)]
    assert len(held) == 600
    assert 0.93 - 0.015 <= np.mean(held) <= 0.97 + 0.015  # of 600 repetitions, the share itself is known to 0.9 points


@pytest.mark.parametrize("images", [20, 50, 150])
def test_rates_are_held_95_times_in_100_on_average_over_what_they_may_be(images: int) -> None:
    values = np.tri(images + 1, images, -1)  # row k has k failures
    low, high = np.array(mean_intervals(values, ends=SHARES * (images + 1), resamples=1, seed=0)).T
    rates = np.linspace(0.01, 0.3, 60)
    chances = stats.binom.pmf(np.arange(images + 1), images, rates[:, np.newaxis])
    held = (chances * ((low <= rates[:, np.newaxis]) & (rates[:, np.newaxis] <= high))).sum(axis=1)
    assert held.mean() == pytest.approx(0.95, abs=0.01)


def test_the_difference_is_paired_by_image() -> None:
    second = np.random.default_rng(0).random(50)
    found = paired_difference(second + 0.125, second, resamples=200, seed=0)
    assert found.mean == found.high == 0.125
    assert found.low is not None
    assert 0.1 < found.low < 0.125


def test_two_methods_without_a_failure_may_differ_all_the_same() -> None:
    found = paired_difference(np.zeros(20), np.zeros(20), resamples=2_000, seed=0)
    assert found.mean == 0
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.05 < 0.05 < found.high


def test_two_methods_with_the_same_masks_do_not_differ() -> None:
    scores = np.random.default_rng(0).random(20)
    assert paired_difference(scores, scores, resamples=200, seed=0) == Difference(0.0, 0.0, 0.0)


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
