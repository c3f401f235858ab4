"""How often the 95 % intervals of evaluations and comparisons hold the true value, where the true value is known.

    python benchmarks/interval_coverage.py [--repetitions 1000] [--resamples 1500] [--images 150 600]

Draws Jaccard indices as segmentation gives them: most images good and skewed towards 1, Beta(12, 2), some failed,
Beta(2, 3), and the failed ones smaller. Each repetition draws new images and computes new intervals. Prints, for each
number of images, the share of intervals that hold the truth (an honest interval: 93 to 97 %), the shares that lie
below and above it, and the mean width. With 1,000 repetitions the share itself is known to about 1.4 points.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lesionseg.evaluation.statistics import mean_intervals, paired_difference, ratio_intervals

Array = NDArray[np.float64]
Bounds = tuple[float, float]
Check = Callable[[np.random.Generator, int, int], Bounds]

GOOD, FAILED = (12.0, 2.0), (2.0, 3.0)
FAILED_SHARE = 0.08
SIZES = {False: 9.0, True: 8.0}
"""Mean logarithm of the pixels of an image's lesion, by whether segmentation failed."""
SPREAD = 0.8
"""Standard deviation of that logarithm."""
SECOND_GOOD = (11.0, 2.2)


def beta_mean(parameters: tuple[float, float]) -> float:
    """Mean of a Beta distribution."""
    return parameters[0] / sum(parameters)


def mixed(good: float, failed: float) -> float:
    """Mean over good and failed images."""
    return (1 - FAILED_SHARE) * good + FAILED_SHARE * failed


def draw(generator: np.random.Generator, images: int) -> tuple[NDArray[np.bool_], Array]:
    """Which images failed, and the Jaccard index of each."""
    failed = generator.random(images) < FAILED_SHARE
    return failed, np.where(failed, generator.beta(*FAILED, images), generator.beta(*GOOD, images))


def mean_of(generator: np.random.Generator, images: int, resamples: int) -> Bounds:
    """Interval of the mean Jaccard index."""
    _, jaccard = draw(generator, images)
    interval = mean_intervals(jaccard[np.newaxis], resamples=resamples, seed=int(generator.integers(2**31)))[0]
    return interval or (np.nan, np.nan)


def failures_of(generator: np.random.Generator, images: int, resamples: int) -> Bounds:
    """Interval of the share of failed images, a score of zeros and ones."""
    failed = draw(generator, images)[0].astype(float)
    interval = mean_intervals(failed[np.newaxis], resamples=resamples, seed=int(generator.integers(2**31)))[0]
    return interval or (np.nan, np.nan)


def difference_of(generator: np.random.Generator, images: int, resamples: int) -> Bounds:
    """Interval of the difference to a second method that agrees with the first in half of its score."""
    failed, first = draw(generator, images)
    other = np.where(failed, generator.beta(*FAILED, images), generator.beta(*SECOND_GOOD, images))
    second = (first + other) / 2
    found = paired_difference(first, second, resamples=resamples, seed=int(generator.integers(2**31)))
    return (np.nan, np.nan) if found.low is None or found.high is None else (found.low, found.high)


def pooled_of(generator: np.random.Generator, images: int, resamples: int) -> Bounds:
    """Interval of the Jaccard index over the pixels of all images."""
    failed, jaccard = draw(generator, images)
    union = generator.lognormal(np.where(failed, SIZES[True], SIZES[False]), SPREAD)
    seed = int(generator.integers(2**31))
    interval = ratio_intervals((jaccard * union)[np.newaxis], union[np.newaxis], resamples=resamples, seed=seed)[0]
    return interval or (np.nan, np.nan)


def truths() -> dict[str, tuple[Check, float]]:
    """What is estimated, and its true value."""
    good, failed = beta_mean(GOOD), beta_mean(FAILED)
    sizes = {fails: np.exp(mean + SPREAD**2 / 2) for fails, mean in SIZES.items()}
    pooled = mixed(good * sizes[False], failed * sizes[True]) / mixed(sizes[False], sizes[True])
    return {
        "mean Jaccard": (mean_of, mixed(good, failed)),
        "failure rate": (failures_of, FAILED_SHARE),
        "paired difference": (difference_of, mixed((good - beta_mean(SECOND_GOOD)) / 2, 0.0)),
        "pooled Jaccard": (pooled_of, pooled),
    }


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1_000)
    parser.add_argument("--resamples", type=int, default=1_500)
    parser.add_argument("--images", type=int, nargs="+", default=[150, 600])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    print(f"{'estimate':<18} {'images':>6} {'truth':>7} {'covered':>8} {'below':>6} {'above':>6} {'width':>7}")
    for name, (check, truth) in truths().items():
        for images in options.images:
            generator = np.random.default_rng([options.seed, images])
            found = [check(generator, images, options.resamples) for _ in range(options.repetitions)]
            low, high = np.array(found).T
            covered = np.mean((low <= truth) & (truth <= high))
            print(
                f"{name:<18} {images:>6} {truth:>7.4f} {covered:>8.1%} {np.mean(high < truth):>6.1%} "
                f"{np.mean(low > truth):>6.1%} {np.mean(high - low):>7.4f}",
                flush=True,
            )
    print(f"{options.repetitions} repetitions, {options.resamples} resamples, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
