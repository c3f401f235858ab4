"""What HD95, average surface distance and boundary F1 cost for 500 pairs of masks of 512 x 512 pixels.

    python benchmarks/surface_distances.py [--pairs 500] [--size 512] [--rounds 3]

Three sorts of pairs in turn: a drawn lesion against itself moved and grown, against another lesion, and against itself
with a rough outline, as a model early in its training predicts it. Threads share the cores that this process may use,
as an evaluation does. Prints the seconds of each round, their median, and the largest difference from brute force
(every outline point against every other) on small masks.
"""

import argparse
import statistics
import time
from multiprocessing.pool import ThreadPool

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist

from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.metrics.boundary import boundary_scores
from lesionseg.system.machine import usable_cores

Mask = NDArray[np.uint8]
TOLERANCE = 0.75


def roughen(mask: Mask, generator: np.random.Generator) -> Mask:
    """Adds smooth noise to the outline of a (size, size) mask in {0, 1}: tongues, bays, holes and islands."""
    blurred = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), len(mask) / 25)
    noise = cv2.GaussianBlur(generator.standard_normal(mask.shape).astype(np.float32), (0, 0), 1.5)
    return (blurred + noise > 0.5).astype(np.uint8)


def draw_pair(number: int, size: int) -> tuple[Mask, Mask]:
    """Draws prediction and target, (size, size) in {0, 1}."""
    target = draw_dermoscopy(number, size)[1]
    if number % 3 == 0:
        return cv2.dilate(np.roll(target, size // 50, axis=0), np.ones((5, 5), np.uint8)), target
    if number % 3 == 1:
        return draw_dermoscopy(number + 100_000, size)[1], target
    return roughen(target, np.random.default_rng(number)), target


def score(pair: tuple[Mask, Mask]) -> dict[str, float]:
    """Scores one pair, as an evaluation's thread does."""
    return boundary_scores(*pair, tolerance=TOLERANCE)


def brute_force(prediction: Mask, target: Mask) -> tuple[float, float]:
    """HD95 and average surface distance in pixels, from the distances between all outline points."""
    outlines = [np.argwhere(mask.astype(bool) & ~binary_erosion(mask)) for mask in (prediction, target)]
    between = cdist(*outlines)
    there, back = between.min(axis=1), between.min(axis=0)
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(hd95), float(np.concatenate([there, back]).mean())


def largest_difference(count: int) -> float:
    """Largest difference from brute force over so many pairs of small masks, in pixels."""
    differences = []
    for number in range(count):
        pair = draw_pair(number, 64)
        scores, (hd95, mean) = score(pair), brute_force(*pair)
        differences += [abs(scores["hd95_px"] - hd95), abs(scores["surface_distance_px"] - mean)]
    return max(differences)


def main() -> None:
    """Prints each round, the median and the agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    cores = usable_cores()
    with ThreadPool(cores) as pool:
        pairs = pool.starmap(draw_pair, [(number, options.size) for number in range(options.pairs)])
        seconds = []
        for number in range(1, options.rounds + 1):
            start = time.perf_counter()
            pool.map(score, pairs)
            seconds.append(time.perf_counter() - start)
            print(f"round {number}: {seconds[-1]:.2f} s for {options.pairs} pairs of {options.size} x {options.size}")
    print(f"median {statistics.median(seconds):.2f} s with {cores} threads")
    print(f"largest difference from brute force {largest_difference(60):.1e} px, over 60 pairs of 64 x 64")


if __name__ == "__main__":
    main()
