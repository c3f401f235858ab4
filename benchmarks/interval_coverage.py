"""How often the 95 % intervals of evaluations and comparisons hold the true value, where the true value is known.

    python benchmarks/interval_coverage.py [--repetitions 2000] [--resamples 2000] [--images 20 50 150]

Draws Jaccard indices as segmentation gives them: most images good and skewed towards 1, Beta(12, 2), some failed,
Beta(2, 3), and the failed ones smaller. Each repetition draws new images and computes new intervals. Prints, for each
number of images, the share of intervals that hold the truth (an honest interval: 93 to 97 %), the shares that lie
below and above it, and the mean width. With 2,000 repetitions the share itself is known to about a point.

A rate of few images has few possible values, and so has the share of its intervals that hold the truth: it leaps as
the true rate changes. It is worked out exactly, for two rates and on average over all rates from 1 to 30 %.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesionseg.evaluation.statistics import mean_intervals, paired_differences, ratio_intervals

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]
Bounds = list[tuple[float, float]]
Check = Callable[[np.random.Generator, tuple[int, int], int, int], Bounds]

GOOD, FAILED = (12.0, 2.0), (2.0, 3.0)
SECOND_GOOD = (11.0, 2.2)
SIZES = {False: 9.0, True: 8.0}
"""Mean logarithm of the pixels of an image's lesion, by whether segmentation failed."""
SPREAD = 0.8
"""Standard deviation of that logarithm."""
BATCH = 50
"""Repetitions that share their resamples."""
MANY = 4_000_000
"""Images that a true mean is worked out from."""


def jaccard_of(share: float) -> Draw:
    """Draws Jaccard indices of which this share failed."""

    def draw(generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        failed = generator.random(shape) < share
        return np.where(failed, generator.beta(*FAILED, shape), generator.beta(*GOOD, shape))

    return draw


def dice_of(share: float) -> Draw:
    """Draws the same images' Dice."""
    return lambda generator, shape: 2 - 2 / (1 + jaccard_of(share)(generator, shape))


def threshold_jaccard_of(share: float) -> Draw:
    """Draws the same images' threshold Jaccard: those below 0.65 count 0."""

    def draw(generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        jaccard = jaccard_of(share)(generator, shape)
        return np.where(jaccard < 0.65, 0.0, jaccard)

    return draw


def missing(share: float) -> Draw:
    """Draws Dice of a good method, Beta(20, 2), that misses this share of the lesions."""
    return lambda generator, shape: np.where(generator.random(shape) < share, 0.0, generator.beta(20, 2, shape))


def specificity(generator: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draws specificities: near 1, with a long tail."""
    return 1 - np.minimum(generator.lognormal(-4.5, 1.2, shape), 1)


def hd95(generator: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Draws HD95 in % of the diagonal: a few per cent, and the whole of it where the lesion is missed, 1 in 100."""
    distances = np.minimum(generator.lognormal(1.0, 0.8, shape), 60)
    return np.where(generator.random(shape) < 0.01, 100.0, distances)


def means(draw: Draw, high: float = 1.0) -> Check:
    """Checks the intervals of means."""
    return lambda generator, shape, resamples, seed: _bounds(
        mean_intervals(draw(generator, shape), ends=[(0.0, high)] * shape[0], resamples=resamples, seed=seed)
    )


def differences(draw: Callable[[np.random.Generator, tuple[int, int]], tuple[Array, Array]]) -> Check:
    """Checks the intervals of differences between two methods on the same images."""

    def check(generator: np.random.Generator, shape: tuple[int, int], resamples: int, seed: int) -> Bounds:
        pairs = list(zip(*draw(generator, shape), strict=True))
        return _bounds([(one.low, one.high) for one in paired_differences(pairs, resamples=resamples, seed=seed)])

    return check


def two_methods(generator: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Draws Jaccard indices of two methods that fail on the same images and agree in half of their scores."""
    failed = generator.random(shape) < 0.08
    first = np.where(failed, generator.beta(*FAILED, shape), generator.beta(*GOOD, shape))
    other = np.where(failed, generator.beta(*FAILED, shape), generator.beta(*SECOND_GOOD, shape))
    return first, (first + other) / 2


def one_more_fails(generator: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Draws Jaccard indices of two methods of which the second fails on 5 % of the images more."""
    first = generator.beta(*GOOD, shape)
    second = np.clip(first + generator.normal(0, 0.03, shape), 0, 1)
    return first, np.where(generator.random(shape) < 0.05, generator.beta(*FAILED, shape), second)


def failures(generator: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Draws failures, 0 or 1, of two methods: 10 and 6 % of the images, of which 4 % are the same."""
    place = generator.random(shape)
    return (place < 0.10).astype(float), ((place < 0.04) | (place >= 0.98)).astype(float)


def pooled(generator: np.random.Generator, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Draws intersections and unions in pixels."""
    failed = generator.random(shape) < 0.08
    jaccard = np.where(failed, generator.beta(*FAILED, shape), generator.beta(*GOOD, shape))
    union = generator.lognormal(np.where(failed, SIZES[True], SIZES[False]), SPREAD)
    return jaccard * union, union


def ratios(generator: np.random.Generator, shape: tuple[int, int], resamples: int, seed: int) -> Bounds:
    """Checks the intervals of the Jaccard index over the pixels of all images."""
    return _bounds(ratio_intervals(*pooled(generator, shape), resamples=resamples, seed=seed))


def estimates() -> dict[str, tuple[Check, float]]:
    """What is estimated, and its true value."""
    generator, many = np.random.default_rng(1), (1, MANY)
    drawn = {
        "mean Jaccard, 8 % fail": (jaccard_of(0.08), 1.0),
        "mean Jaccard, 5 % fail": (jaccard_of(0.05), 1.0),
        "mean Jaccard, none fails": (jaccard_of(0.0), 1.0),
        "mean Dice, 8 % fail": (dice_of(0.08), 1.0),
        "mean Dice, 5 % missed": (missing(0.05), 1.0),
        "threshold Jaccard, 8 % fail": (threshold_jaccard_of(0.08), 1.0),
        "mean specificity": (specificity, 1.0),
        "mean HD95": (hd95, 100.0),
    }
    found = {name: (means(draw, high), float(draw(generator, many).mean())) for name, (draw, high) in drawn.items()}
    for name, draw in {
        "difference": two_methods,
        "difference, 5 % more fail": one_more_fails,
        "difference of failure rates": failures,
    }.items():
        first, second = draw(generator, many)
        found[name] = differences(draw), float((first - second).mean())
    intersection, union = pooled(generator, many)
    return found | {"pooled Jaccard": (ratios, float(intersection.sum() / union.sum()))}


def rate_coverage(images: int, rates: Array) -> Array:
    """Works out the shares of each rate's intervals that hold it, lie below and lie above, and their mean width."""
    values = np.tri(images + 1, images, -1)  # row k has k ones
    low, high = np.array(mean_intervals(values, ends=[(0.0, 1.0)] * (images + 1), resamples=1, seed=0)).T
    chances = stats.binom.pmf(np.arange(images + 1), images, rates[:, np.newaxis])
    below = (chances * (high < rates[:, np.newaxis])).sum(axis=1)
    above = (chances * (low > rates[:, np.newaxis])).sum(axis=1)
    return np.stack([1 - below - above, below, above, chances @ (high - low)], axis=1)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2_000)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--images", type=int, nargs="+", default=[20, 50, 150])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    print(f"{'estimate':<28} {'images':>6} {'truth':>8} {'covered':>8} {'below':>6} {'above':>6} {'width':>7}")
    for name, (check, truth) in estimates().items():
        for images in options.images:
            generator = np.random.default_rng([options.seed, images])
            found: Bounds = []
            while len(found) < options.repetitions:
                found += check(generator, (BATCH, images), options.resamples, int(generator.integers(2**31)))
            low, high = np.array(found).T
            below, above = np.mean(high < truth), np.mean(low > truth)
            _print(name, images, f"{truth:.4f}", 1 - below - above, below, above, np.mean(high - low))
    for images in options.images:
        for rate in (0.05, 0.08):
            found_of = rate_coverage(images, np.array([rate]))[0]
            _print(f"rate of {100 * rate:.0f} %, exactly", images, f"{rate:.4f}", *found_of)
        average = rate_coverage(images, np.linspace(0.01, 0.3, 291)).mean(axis=0)
        _print("rates of 1 to 30 %, average", images, "", *average)
    print(f"{len(found)} repetitions, {options.resamples} resamples, {time.perf_counter() - start:.0f} s")


def _print(name: str, images: int, truth: str, covered: float, below: float, above: float, width: float) -> None:
    print(f"{name:<28} {images:>6} {truth:>8} {covered:>8.1%} {below:>6.1%} {above:>6.1%} {width:>7.4f}", flush=True)


def _bounds(intervals: list[tuple[float | None, float | None] | None]) -> Bounds:
    return [(np.nan, np.nan) if one is None or None in one else one for one in intervals]


if __name__ == "__main__":
    main()
