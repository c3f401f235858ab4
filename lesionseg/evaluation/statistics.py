"""How sure a mean over images is, and whether two methods differ by more than chance."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Interval = tuple[float, float]
Ends = tuple[float, float]
"""The worst and the best, or the best and the worst, that an image can score; the smaller number first."""

HOW = (
    "95 % intervals over the images: of means by the Bayesian bootstrap, with half an image more at either end of the "
    "scale for what has not been seen; of rates, such as that of failures, Wilson's"
)
"""For every place that shows intervals; what stands behind it is said by `mean_intervals`."""
HALF = 0.5
"""Of an image, at either end of the scale."""
DECIMALS = 12
"""Sums in another order differ in the sixteenth digit; rounded, equal values are equal and ties are counted as ties."""
BATCH_ELEMENTS = 1_000_000
"""Images times resamples that are drawn at once: some 10 MB."""


@dataclass(frozen=True)
class Difference:
    """How far the first of two methods lies above the second on the same images.

    Attributes:
        mean: Over images.
        low: Lower end of its 95 % interval; None for one image.
        high: Upper end likewise.
    """

    mean: float
    low: float | None
    high: float | None


def mean_intervals(values: Array, *, ends: Sequence[Ends], resamples: int, seed: int) -> list[Interval | None]:
    """Computes 95 % intervals of means over images, made to hold for few images too.

    The Bayesian bootstrap (Rubin, Annals of Statistics 9, 1981) draws weights of the images instead of images. A
    bootstrap of either kind knows only of what the sample has: in 20 images a failure that comes once in 20 is missing
    every third time, and the interval is too narrow. So half an image more lies at either end of the scale. Of scores
    that are 0 or 1 this makes the interval of Jeffreys' prior; for many images it changes nothing. A mean of 0 or 1
    scores is a rate, and has Wilson's interval (JASA 22, 1927), which Brown, Cai & DasGupta recommend (Statistical
    Science 16, 2001). `benchmarks/interval_coverage.py` measures how often the intervals hold the truth.

    Args:
        values: (M, N), a row for each metric and a column for each image.
        ends: Of each metric's scale.
        resamples: Of the weights.
        seed: The same one draws the same weights; every row sees the same.

    Returns:
        For each row its interval, which holds the mean; None where N is 1.
    """
    intervals = _intervals(values, np.ones_like(values), ends, resamples=resamples, seed=seed)
    for row, one in enumerate(values):
        if len(one) > 1 and ends[row] == (0, 1) and np.isin(one, (0, 1)).all():
            intervals[row] = _wilson(int(one.sum()), len(one))
    return intervals


def ratio_intervals(numerators: Array, denominators: Array, *, resamples: int, seed: int) -> list[Interval | None]:
    """Computes 95 % intervals of pooled scores, sum of numerators / sum of denominators, as `mean_intervals` does.

    An image is weighted with its numerator and its denominator; the half images that score 0 and 1 have the mean
    denominator.

    Args:
        numerators: (M, N), a row for each score and a column for each image.
        denominators: (M, N), at least 0.
        resamples: Of the weights.
        seed: The same one draws the same weights.

    Returns:
        For each row its interval; None where N is 1 or all denominators are 0.
    """
    ends = [(0.0, 1.0)] * len(numerators)
    return _intervals(numerators, denominators, ends, resamples=resamples, seed=seed)


def paired_difference(first: Array, second: Array, *, resamples: int, seed: int) -> Difference:
    """Computes the mean of first - second with its 95 % interval; images are weighted with both their scores.

    As `mean_intervals` does, with half an image at either end of what differences there are: the largest one seen, in
    both directions; or 1 and -1, where all scores are 0 or 1.

    Args:
        first: (N,) scores of one method.
        second: (N,) scores of the other on the same images in the same order.
        resamples: Of the weights.
        seed: The same one draws the same weights.
    """
    return paired_differences([(first, second)], resamples=resamples, seed=seed)[0]


def paired_differences(pairs: Sequence[tuple[Array, Array]], *, resamples: int, seed: int) -> list[Difference]:
    """Does as `paired_difference` for many pairs of the same images at once, which takes hardly longer than for one."""
    if not pairs:
        return []
    differences = np.stack([np.round(first - second, DECIMALS) for first, second in pairs])
    largest = [1.0 if np.isin(pair, (0, 1)).all() else float(np.abs(pair[0] - pair[1]).max()) for pair in pairs]
    ends = [(-one, one) for one in largest]
    intervals = _intervals(differences, np.ones_like(differences), ends, resamples=resamples, seed=seed)
    means = differences.mean(axis=1)
    bounds = [interval or (None, None) for interval in intervals]
    return [Difference(float(mean), low, high) for mean, (low, high) in zip(means, bounds, strict=True)]


def signed_rank_p(first: Array, second: Array) -> float:
    """Returns the two-sided p-value of Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945).

    Images where both methods score the same are dropped before ranking, as Wilcoxon did (`zero_method="wilcox"`);
    differences below 1e-12 are rounding and count as none. Where no image is left, p is 1.

    Args:
        first: (N,) scores of one method.
        second: (N,) scores of the other on the same images in the same order.
    """
    differences = np.round(first - second, DECIMALS)
    if not differences.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few images or ties: the normal approximation is rough, which users know
        return float(stats.wilcoxon(differences, zero_method="wilcox", alternative="two-sided").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number with Holm's step-down method (Scand. J. Statistics 6, 1979).

    The smallest of m is multiplied by m, the next by m - 1 and so on; none falls below the one before it or exceeds 1.
    Comparing the results with 0.05 keeps the chance of any false finding at 5 %, dependent tests or not.

    Returns:
        In the order given.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1.0)
    return [float(value) for value in adjusted]


def _intervals(
    numerators: Array, denominators: Array, ends: Sequence[Ends], *, resamples: int, seed: int
) -> list[Interval | None]:
    """Computes the intervals of weighted sums' ratios; see `ratio_intervals`."""
    count = numerators.shape[1]
    if count < 2:
        return [None] * len(numerators)
    average = denominators.mean(axis=1, keepdims=True)
    above = np.concatenate([numerators, np.asarray(ends, float) * average], axis=1)
    below = np.concatenate([denominators, average, average], axis=1)
    with np.errstate(invalid="ignore"):  # a score without any denominator
        drawn = np.concatenate([(above @ w) / (below @ w) for w in _weights(count, resamples, seed)], axis=1)
        means = numerators.sum(axis=1) / denominators.sum(axis=1)
    low, high = np.round(np.quantile(drawn, (0.025, 0.975), axis=1), DECIMALS)
    # Where nothing but an end of the scale has been seen, the half image at the other end moves both bounds.
    return [_interval(*row) for row in zip(np.minimum(low, means), np.maximum(high, means), strict=True)]


def _weights(count: int, resamples: int, seed: int) -> Iterator[Array]:
    """Draws weights of the images and of the two half images, (count + 2, some resamples) at a time."""
    generator = np.random.default_rng(seed)
    batch = max(1, BATCH_ELEMENTS // count)
    for start in range(0, resamples, batch):
        drawn = min(batch, resamples - start)
        # Gamma's shape is the number of images: 1 each, whose distribution is the exponential one, and the halves.
        images, halves = generator.standard_exponential((count, drawn)), generator.standard_gamma(HALF, (2, drawn))
        yield np.concatenate([images, halves])


def _wilson(successes: int, count: int) -> Interval:
    interval = stats.binomtest(successes, count).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _interval(low: float, high: float) -> Interval | None:
    return None if np.isnan(low) or np.isnan(high) else (float(low), float(high))
