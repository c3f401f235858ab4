"""How fast is predicting a folder of photographs, and how near is that to only decoding them and writing the masks?

    python benchmarks/prediction_speed.py --checkpoint FILE --photographs FOLDER
    python benchmarks/prediction_speed.py --checkpoint FILE --photographs FOLDER --resize 600 450 --files 2000

The photographs found are repeated until there are as many files as asked for, with `--resize` after they are written
again at that size. Each round predicts them (`work`: from opening the model to the table; `command`: the whole command
line with Python's start), then decodes the same files at the scale that the model needs and writes the same masks in as
many threads: with lesionseg's own PNG writer, and with OpenCV's.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lesionseg.data.image_file import read_photograph
from lesionseg.data.masks import encode_grey_png
from lesionseg.data.names import READABLE_SUFFIXES
from lesionseg.data.table import read_table
from lesionseg.system.machine import usable_cores

Write = Callable[[Path, np.ndarray], None]

PREDICT = """
import sys, time, hydra
import lesionseg.checkpoint.engine, lesionseg.prediction.folder_prediction
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.predict import predict
register_schemas()
with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
    cfg = hydra.compose("predict", overrides=sys.argv[1:])
start = time.perf_counter()
predict(cfg)
print(f"seconds {time.perf_counter() - start}")
"""
"""The verb, timed from when the libraries are there."""


def main() -> None:
    """Prints medians, spreads and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--files", type=int, default=240)
    parser.add_argument("--resize", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeat(arguments.photographs, folder / "photographs", arguments.files, arguments.resize)
        measure(arguments.checkpoint, folder, arguments.rounds)


def repeat(source: Path, target: Path, count: int, size: tuple[int, int] | None) -> None:
    """Links, or writes at another size, the photographs as many times as it takes."""
    target.mkdir()
    originals = sorted(path for path in source.rglob("*") if path.suffix.lower() in READABLE_SUFFIXES - {".png"})
    for number in range(count):
        original = originals[number % len(originals)]
        name = target / f"{number:05d}_{original.name}"
        if size is None:
            name.symlink_to(original.absolute())
        elif number < len(originals):
            with Image.open(original) as image:
                image.resize(size, Image.Resampling.LANCZOS).save(name, quality=90)
        else:
            name.hardlink_to(target / f"{number % len(originals):05d}_{original.name}")


def measure(checkpoint: Path, folder: Path, rounds: int) -> None:
    """Alternates predicting and the two limits."""
    times: dict[str, list[float]] = {"work": [], "command": [], "limit": [], "limit, OpenCV": []}
    files = sorted((folder / "photographs").iterdir())
    for number in range(rounds):
        masks = folder / f"masks{number}"
        work, command, peak = predict(checkpoint, folder / "photographs", masks)
        times["work"].append(work)
        times["command"].append(command)
        size = image_size(checkpoint)
        times["limit"].append(limit(files, masks, size, write_own))
        times["limit, OpenCV"].append(limit(files, masks, size, write_opencv))
        if len(read_table(masks / "predictions.csv")[0]) != len(files):
            raise SystemExit("not every photograph was predicted")
        print(f"round {number + 1}: {len(files) / work:.1f} images/s, peak {peak:.0f} MB", flush=True)
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(
            f"{name:14} median {median:6.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), "
            f"{len(files) / median:6.1f} images/s"
        )
    for name in ("limit", "limit, OpenCV"):
        ratios = [work / least for work, least in zip(times["work"], times[name], strict=True)]
        print(f"work / {name}: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def predict(checkpoint: Path, photographs: Path, masks: Path) -> tuple[float, float, float]:
    """Predicts twice, in processes of their own: seconds of work, of a whole command line, and peak memory in MB."""
    words = [f"checkpoint={checkpoint}", f"input={photographs}"]
    work, _, peak = run([sys.executable, "-c", PREDICT, *words, f"output={masks}"])
    _, command, _ = run([sys.executable, "-m", "lesionseg.predict", *words, f"output={masks}_again"])
    return work, command, peak


def run(command: list[str]) -> tuple[float, float, float]:
    """Runs a process: the seconds that it says on its last line (or 0), those that it took, and its peak memory."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("\n".join(lines))
    said = float(lines[-1].removeprefix("seconds ")) if lines[-1].startswith("seconds ") else 0.0
    return said, time.perf_counter() - start, usage.ru_maxrss / 1024


def image_size(checkpoint: Path) -> int:
    """Asks the model for its size."""
    import lesionseg

    return lesionseg.load(checkpoint).image_size


def limit(files: list[Path], masks: Path, size: int, write: Write) -> float:
    """Decodes all photographs at the scale needed and writes all masks, in as many threads as there are cores."""
    distinct: dict[str, np.ndarray] = {}
    for path in files:
        original = path.name.partition("_")[2]
        if original not in distinct:
            distinct[original] = cv2.imread(str(masks / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
    target = masks / "limit"
    target.mkdir(exist_ok=True)

    def one(path: Path) -> None:
        read_photograph(path, for_size=size)
        write(target / f"{path.stem}.png", distinct[path.name.partition("_")[2]])

    start = time.perf_counter()
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(one, files))
    return time.perf_counter() - start


def write_own(path: Path, mask: np.ndarray) -> None:
    """Writes as lesionseg does."""
    path.write_bytes(encode_grey_png(mask))


def write_opencv(path: Path, mask: np.ndarray) -> None:
    """Writes as most scripts do, at the fastest of OpenCV's levels."""
    cv2.imwrite(str(path), mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])


if __name__ == "__main__":
    main()
