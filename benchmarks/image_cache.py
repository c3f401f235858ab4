"""What the image cache costs to build: lesionseg against a plain loop of cv2.imread and cv2.resize, side by side.

    python benchmarks/image_cache.py --root FOLDER [--size 256] [--rounds 7]

FOLDER holds images/ and masks/ of original size. The plain loop reads every image and mask whole, on one core, and
averages over areas as the cache does. Rounds alternate, so that a noisy machine hits both alike. Prints the time for a
pair, the ratio of the times for each core used, and how far the pixels are apart.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.benchmarking.timing import Row, Work, measure
from lesionseg.data.cache import DiskCache
from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import FilePair
from lesionseg.system.machine import usable_cores

Array = NDArray[np.uint8]
ONCE = 1e-9
"""Seconds of a round that reading all pairs always exceeds."""


def plain(pair: FilePair, size: int) -> tuple[Array, Array]:
    """Image (size, size, 3) RGB and mask (size, size) in {0, 1}, as anyone would read them."""
    image = cv2.resize(cv2.imread(str(pair.image_path)), (size, size), interpolation=cv2.INTER_AREA)
    grey = cv2.imread(str(pair.mask_path), cv2.IMREAD_GRAYSCALE)
    mask = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA) > 127
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), mask.astype(np.uint8)


def fill_cache(pairs: list[FilePair], size: int) -> None:
    """Fills a new cache on all usable cores."""
    with tempfile.TemporaryDirectory() as folder:
        DiskCache(pairs, size, Path(folder)).prepare(range(len(pairs)))


def differences(pairs: list[FilePair], size: int) -> tuple[list[float], list[float]]:
    """Of each pair: mean distance of the images in grey levels, and share of mask pixels that differ."""
    with tempfile.TemporaryDirectory() as folder:
        cache = DiskCache(pairs, size, Path(folder))
        cache.prepare(range(len(pairs)))
        images, masks = [], []
        for row, pair in enumerate(pairs):
            image, mask = plain(pair, size)
            images.append(float(np.abs(image.astype(int) - cache[row].image).mean()))
            masks.append(float((mask != cache[row].mask).mean()))
    return images, masks


def main() -> None:
    """Prints each round, the median ratio and the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--mask-suffix", default="_segmentation")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    pairs = list(
        pair_folders([options.root / "images"], [options.root / "masks"], mask_suffix=options.mask_suffix).pairs
    )
    cv2.setNumThreads(1)
    calls = {
        "plain": lambda: [plain(pair, options.size) for pair in pairs],
        "cache": lambda: fill_cache(pairs, options.size),
    }
    works = [Work(Row("loader", way, "pairs", ""), len(pairs), call) for way, call in calls.items()]
    loop, cache = measure(works, rounds=options.rounds, seconds=ONCE)
    ratios = [filled / read / usable_cores() for read, filled in zip(loop.rates, cache.rates, strict=True)]
    for number, (rate, ratio) in enumerate(zip(loop.rates, ratios, strict=True), 1):
        each = 1000 / rate
        print(f"round {number}: plain {each:.1f} ms, cache {each / ratio:.1f} ms a pair and core, ratio {ratio:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f} (smallest {min(ratios):.2f}, largest {max(ratios):.2f})")
    images, masks = differences(pairs, options.size)
    print(f"images differ by {np.mean(images):.2f} grey levels on average (at most {max(images):.2f} for one image)")
    print(f"masks differ in {np.mean(masks):.4%} of the pixels (at most {max(masks):.4%} for one mask)")


if __name__ == "__main__":
    main()
