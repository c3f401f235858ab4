"""How sure a mean over images is, and whether two methods differ by more than chance."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Interval = tuple[float, float]

DECIMALS = 12
"""Sums in another order differ in the sixteenth digit; rounded, equal values are equal and ties are counted as ties."""
BATCH_ELEMENTS = 1_000_000
"""Images times resamples that are drawn at once: some 40 MB."""


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


def mean_intervals(values: Array, *, resamples: int, seed: int) -> list[Interval | None]:
    """Computes 95 % bootstrap intervals of means over images.

    BCa intervals (Efron, JASA 82, 1987), as `scipy.stats.bootstrap` computes them: they follow the skew of per-image
    scores, which symmetric ones do not. Every row sees the same resamples.

    Args:
        values: (M, N), a row for each metric and a column for each image.
        resamples: Of the N images.
        seed: The same one draws the same resamples.

    Returns:
        For each row its interval; the value twice where all images have the same, None where N is 1.
    """
    intervals = ratio_intervals(values, np.ones_like(values), resamples=resamples, seed=seed)
    for row, (low, high) in enumerate(zip(values.min(axis=1), values.max(axis=1), strict=True)):
        if low == high and values.shape[1] > 1:
            intervals[row] = (float(low), float(high))
    return intervals


def ratio_intervals(numerators: Array, denominators: Array, *, resamples: int, seed: int) -> list[Interval | None]:
    """Computes 95 % BCa bootstrap intervals of pooled scores: sum of numerators / sum of denominators.

    An image is drawn with its numerator and its denominator. A resample whose denominators are all 0 has no ratio and
    is left out. BCa has no answer where all images have one ratio, where one image alone makes the ratio exist, or
    where the correction runs out of the resamples' range; the percentiles of the resamples are taken there.

    Args:
        numerators: (M, N), a row for each score and a column for each image.
        denominators: (M, N), at least 0.
        resamples: Of the N images.
        seed: The same one draws the same resamples.

    Returns:
        For each row its interval; None where N is 1 or all denominators are 0.
    """
    count = numerators.shape[1]
    if count < 2:
        return [None] * len(numerators)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # What scipy warns of here, a degenerate distribution, is what the percentiles are for.
        warnings.simplefilter("ignore")
        result = stats.bootstrap(
            (np.arange(count),),
            _ratio_of_drawn(numerators, denominators),
            n_resamples=resamples,
            batch=max(1, BATCH_ELEMENTS // count),
            vectorized=True,
            random_state=np.random.default_rng(seed),  # scipy 1.14 knows no `rng`; later ones take both
        )
        percentiles = np.nanpercentile(result.bootstrap_distribution, (2.5, 97.5), axis=-1)
    bounds = np.stack(result.confidence_interval)
    return [_interval(*pair) for pair in np.where(np.isnan(bounds).any(axis=0), percentiles, bounds).T]


def paired_difference(first: Array, second: Array, *, resamples: int, seed: int) -> Difference:
    """Computes the mean of first - second with its 95 % BCa interval; images are drawn with both their scores.

    Args:
        first: (N,) scores of one method.
        second: (N,) scores of the other on the same images in the same order.
        resamples: Of the N images.
        seed: The same one draws the same resamples.
    """
    return paired_differences([(first, second)], resamples=resamples, seed=seed)[0]


def paired_differences(pairs: Sequence[tuple[Array, Array]], *, resamples: int, seed: int) -> list[Difference]:
    """Does as `paired_difference` for many pairs of the same images at once, which takes hardly longer than for one."""
    if not pairs:
        return []
    differences = np.stack([np.round(first - second, DECIMALS) for first, second in pairs])
    intervals = mean_intervals(differences, resamples=resamples, seed=seed)
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


def _ratio_of_drawn(numerators: Array, denominators: Array) -> Callable[..., Array]:
    """Returns the ratios of all rows as a statistic of drawn image numbers.

    How often each image was drawn, times the scores, is one product of matrices: five times as fast as gathering the
    scores of every resample, and every row sees the same resamples.
    """
    count = numerators.shape[1]

    def ratio(drawn: NDArray[np.int64], axis: int) -> Array:
        rows = np.atleast_2d(drawn)
        places = rows + count * np.arange(len(rows))[:, np.newaxis]
        times: Any = np.bincount(places.ravel(), minlength=count * len(rows)).reshape(len(rows), count).astype(float).T
        ratios: Array = np.round((numerators @ times) / (denominators @ times), DECIMALS)
        return ratios.reshape(len(numerators), *drawn.shape[:-1])

    return ratio


def _interval(low: float, high: float) -> Interval | None:
    return None if np.isnan(low) or np.isnan(high) else (float(low), float(high))
