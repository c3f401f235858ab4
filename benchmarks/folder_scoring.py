"""How long, and with how much memory, does scoring a folder of masks take?

    python benchmarks/folder_scoring.py

Draws lesions of 1 megapixel as PNG masks, with predictions that differ from them, then runs
`python -m lesionseg.evaluate predictions=... truth=...` on a quarter and on all of them, report and all included.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.system.machine import usable_cores

WIDTH, HEIGHT = 1155, 866
DRAWN = 20
"""Different lesions; further ones are these turned and shifted."""


def main() -> None:
    """Prints seconds and peak memory for a quarter and for all images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, arguments.images)
        for count in (arguments.images // 4, arguments.images):
            seconds = [score(folder, count) for _ in range(arguments.rounds)]
            # Of the largest child so far: the smaller set is scored first.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(
                f"{count:5} images of {WIDTH * HEIGHT / 1e6:.1f} megapixels on {usable_cores()} cores: median "
                f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f}), peak {peak:.0f} MB"
            )


def draw(folder: Path, count: int) -> None:
    """Writes `truth/` and `predictions/`."""
    for kind in ("truth", "predictions"):
        (folder / kind).mkdir()
    masks = [
        cv2.resize(draw_dermoscopy(seed, 256)[1] * np.uint8(255), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        for seed in range(DRAWN)
    ]
    for number in range(count):
        grey = np.roll(masks[number % DRAWN], 7 * (number // DRAWN), axis=1)
        mask = np.where(grey > 127, 255, 0).astype(np.uint8)
        predicted = cv2.dilate(mask, np.ones((1 + number % 15, 1 + number % 9), np.uint8))
        for kind, pixels in (("truth", mask), ("predictions", predicted)):
            cv2.imwrite(str(folder / kind / f"image_{number:05d}.png"), pixels)


def score(folder: Path, count: int) -> float:
    """Scores the first `count` images in a process of its own; seconds."""
    parts = {}
    for kind in ("truth", "predictions"):
        parts[kind] = folder / f"{kind}_{count}"
        if not parts[kind].is_dir():
            parts[kind].mkdir()
            for path in sorted((folder / kind).iterdir())[:count]:
                (parts[kind] / path.name).hardlink_to(path)
    command = [sys.executable, "-m", "lesionseg.evaluate", f"hydra.run.dir={folder / 'run'}"]
    command += [f"{kind}={path}" for kind, path in parts.items()]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
