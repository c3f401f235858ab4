"""Intervals of means over images, and tests of whether two methods differ by more than chance."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Interval = tuple[float, float]
Ends = tuple[float, float]
"""Least and greatest value of an image."""

HOW = (
    "95 % intervals over the images: the Bayesian bootstrap for means, with half an image added at either end of the "
    "scale for what was not seen; Wilson's interval for rates, such as that of failures"
)
"""Sentence for every place that shows intervals; `mean_intervals` says more."""
HALF = 0.5  # weight of the additional image at either end of the scale
DECIMALS = 12  # digits to which values are rounded, so that ties are ties although sums differ in the last digit
BATCH_ELEMENTS = 1_000_000  # images times resamples that are drawn at once, about 10 MB


@dataclass(frozen=True)
class Difference:
    """Mean difference between two methods on the same images, with its 95 % interval, which one image has not."""

    mean: float
    low: float | None
    high: float | None


def mean_intervals(values: Array, *, ends: Sequence[Ends], resamples: int, seed: int) -> list[Interval | None]:
    """Computes 95 % intervals of means over images that also hold for few images.

    The Bayesian bootstrap (Rubin, Annals of Statistics 9, 1981) draws weights of the images instead of images. Like any
    bootstrap, it only knows the sample: a failure rate of one in 20 is missing in a third of all samples of 20 images,
    and the interval is then too narrow. Therefore half an image is added at either end of the scale. For scores of 0
    and 1, this gives the interval of Jeffreys' prior; for many images, it changes nothing. A mean of such scores is a
    rate and gets Wilson's interval (JASA 22, 1927), recommended by Brown, Cai & DasGupta (Statistical Science 16,
    2001). `benchmarks/interval_coverage.py` measures how often the intervals hold the truth.

    Takes values of (M, N), a row for each metric and a column for each image, and the ends of each metric's scale. The
    resampled weights are the same for every row.

    Returns:
        The interval of each row, which holds the mean; None where N is 1.
    """
    intervals = _intervals(values, np.ones_like(values), ends, resamples=resamples, seed=seed)
    for row, one in enumerate(values):
        if len(one) > 1 and ends[row] == (0, 1) and np.isin(one, (0, 1)).all():
            wilson = stats.binomtest(int(one.sum()), len(one)).proportion_ci(0.95, method="wilson")
            intervals[row] = float(wilson.low), float(wilson.high)
    return intervals


def ratio_intervals(numerators: Array, denominators: Array, *, resamples: int, seed: int) -> list[Interval | None]:
    """Computes 95 % intervals of pooled scores, sum of numerators / sum of denominators, as `mean_intervals` does.

    Both are (M, N), a row for each score and a column for each image. An image is weighted with both its numerator and
    its denominator. The half images, which score 0 and 1, have the mean denominator.

    Returns:
        The interval of each row; None where N is 1 or all denominators are 0.
    """
    ends = [(0.0, 1.0)] * len(numerators)
    return _intervals(numerators, denominators, ends, resamples=resamples, seed=seed)


def paired_differences(pairs: Sequence[tuple[Array, Array]], *, resamples: int, seed: int) -> list[Difference]:
    """Computes the mean of first - second, (N,) scores of the same images, with its interval as `mean_intervals` does.

    All pairs are of the same images, and many take hardly longer than one. The half images lie at the largest
    difference in both directions, or at 1 and -1 where all scores are 0 or 1.
    """
    if not pairs:
        return []
    differences = np.stack([np.round(first - second, DECIMALS) for first, second in pairs])
    largest = [1.0 if np.isin(pair, (0, 1)).all() else float(np.abs(pair[0] - pair[1]).max()) for pair in pairs]
    ends = [(-one, one) for one in largest]
    intervals = _intervals(differences, np.ones_like(differences), ends, resamples=resamples, seed=seed)
    means = differences.mean(axis=1).tolist()
    return [Difference(mean, *(interval or (None, None))) for mean, interval in zip(means, intervals, strict=True)]


def signed_rank_p(first: Array, second: Array) -> float:
    """Returns the two-sided p-value of Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945) of paired scores.

    Images where both methods score the same are dropped before ranking, as Wilcoxon did (`zero_method="wilcox"`);
    differences below 1e-12 count as rounding. Where no image is left, p is 1.
    """
    differences = np.round(first - second, DECIMALS)
    if not differences.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the normal approximation is rough for few images or ties
        return float(stats.wilcoxon(differences, zero_method="wilcox", alternative="two-sided").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number with Holm's step-down method (Scand. J. Statistics 6, 1979), in their order.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none falls below the one before it or exceeds 1.
    Comparing the results with 0.05 keeps the chance of any false finding at 5 %, also for dependent tests.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values, float)[order] * factors), 1.0)
    return [float(value) for value in adjusted]


def _intervals(
    numerators: Array, denominators: Array, ends: Sequence[Ends], *, resamples: int, seed: int
) -> list[Interval | None]:
    """Computes the intervals of ratios of weighted sums; see `ratio_intervals`."""
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
    # Where all images lie at one end of the scale, the half image at the other end moves both bounds.
    bounds = zip(np.minimum(low, means).tolist(), np.maximum(high, means).tolist(), strict=True)
    return [None if np.isnan(one).any() else one for one in bounds]


def _weights(count: int, resamples: int, seed: int) -> Iterator[Array]:
    """Draws weights of the images and of the two half images, (count + 2, some resamples) at a time."""
    generator = np.random.default_rng(seed)
    batch = max(1, BATCH_ELEMENTS // count)
    for start in range(0, resamples, batch):
        drawn = min(batch, resamples - start)
        # The shape of the gamma distribution is the number of images: 1 (the exponential distribution), and 0.5.
        images, halves = generator.standard_exponential((count, drawn)), generator.standard_gamma(HALF, (2, drawn))
        yield np.concatenate([images, halves])
