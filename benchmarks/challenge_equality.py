"""Are the scores those of the ISIC challenge's own scorer, to the last digit?

    python benchmarks/challenge_equality.py

Draws 240 pairs of masks of many sizes (odd, tiny, wide, empty, full, grey ramps around 128), scores them with
`isic-challenge-scoring`, which gets a virtual environment of its own and is no dependency, and with
`python -m lesionseg.evaluate`, and compares every number: of each image and averaged.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PACKAGE = "isic-challenge-scoring==5.6.0"
NAMES = ("accuracy", "sensitivity", "specificity", "jaccard", "threshold_jaccard", "dice")
SCORE = f"""
import json, pathlib, sys
from isic_challenge_scoring import metrics
from isic_challenge_scoring.confusion import create_binary_confusion_matrix
from isic_challenge_scoring.load_image import iter_image_pairs
from isic_challenge_scoring.segmentation import SegmentationScore
truth, predictions = map(pathlib.Path, sys.argv[1:])
images = {{}}
for pair in iter_image_pairs(truth, predictions):
    matrix = create_binary_confusion_matrix(pair.truth_image > 128, pair.prediction_image > 128)
    images[pair.image_id] = {{name: float(getattr(metrics, "binary_" + name)(matrix)) for name in {NAMES}}}
means = SegmentationScore.from_dir(truth, predictions).macro_average
print(json.dumps({{"images": images, "means": {{name: float(value) for name, value in means.items()}}}}))
"""


def main() -> None:
    """Draws, scores twice, compares; ends with exit code 1 at any difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_masks(folder, arguments.pairs, arguments.seed)
        theirs, ours = challenge_scores(folder), own_scores(folder)
    differing = [
        f"{id_} {metric}: {value!r}, here {ours['images'][id_][metric]!r}"
        for id_, scores in theirs["images"].items()
        for metric, value in scores.items()
        if value != ours["images"][id_][metric]
    ]
    differing += [
        f"mean {metric}: {value!r}, here {ours['means'][metric]!r}"
        for metric, value in theirs["means"].items()
        if value != ours["means"][metric]
    ]
    numbers = len(NAMES) * (len(theirs["images"]) + 1)
    print(f"{arguments.pairs} pairs, {numbers} numbers compared: {len(differing)} differ in any digit")
    for metric, value in theirs["means"].items():
        print(f"  {metric:<18} {value!r:<20} {ours['means'][metric]!r}")
    print("\n".join(differing[:20]))
    sys.exit(bool(differing))


def draw_masks(folder: Path, pairs: int, seed: int) -> None:
    """Writes `truth/` and `predictions/`."""
    random = np.random.default_rng(seed)
    for kind in ("truth", "predictions"):
        (folder / kind).mkdir()
    for number in range(pairs):
        shape = tuple(int(side) for side in random.integers(1, 400, 2))
        for kind in ("truth", "predictions"):
            grey = draw_grey(random, shape)
            Image.fromarray(grey).save(folder / kind / f"ISIC_{number:07d}.png")


def draw_grey(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Draws one mask: mostly blobs of 0 and 255, sometimes empty, full, or with all grey levels."""
    kind = random.choice(["blob", "grey", "empty", "full"], p=[0.6, 0.25, 0.1, 0.05])
    if kind in ("empty", "full"):
        return np.full(shape, 255 if kind == "full" else 0, np.uint8)
    noise = cv2.GaussianBlur(random.normal(size=shape), (0, 0), max(shape) / 8)
    levels = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    # A largest level of 1 is refused by lesionseg: it would be a mask of 0 and 1, which the challenge counts as empty.
    levels[levels == 1] = 2
    return levels if kind == "grey" else np.where(levels > 140, 255, 0).astype(np.uint8)


def challenge_scores(folder: Path) -> dict[str, Any]:
    """Scores with the challenge's package in an environment of its own."""
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", PACKAGE], check=True)
    command = [python, "-c", SCORE, folder / "truth", folder / "predictions"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def own_scores(folder: Path) -> dict[str, Any]:
    """Scores with `lesionseg.evaluate` and reads its files."""
    command = [sys.executable, "-m", "lesionseg.evaluate", f"predictions={folder / 'predictions'}"]
    command += [f"truth={folder / 'truth'}", f"hydra.run.dir={folder / 'run'}", "evaluation.resamples=100"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    with (folder / "run" / "per_image.csv").open(encoding="utf-8") as file:
        images = {row["id"]: {name: float(row[name]) for name in NAMES} for row in csv.DictReader(file)}
    summary = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
    return {"images": images, "means": {name: summary["metrics"][name]["value"] for name in NAMES}}


if __name__ == "__main__":
    main()
