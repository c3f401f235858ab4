"""Does `review` find the masks that fail on photographs of a camera that the network has never seen?

    python benchmarks/review_recall.py --root ISIC2017 --facts FACTS.csv [--folder logs/review_recall] [--epochs 16]
        [--image-size 128] [--seed 0] [--only CAMERA ...] [--fit CAMERA ...]

FACTS.csv has the columns image_id, width and height of the originals, whose sizes tell cameras apart. Each of five
groups of cameras is left out once: `experiment=isic2017_fast` is trained on the other four, of which a tenth of the
images, drawn by the seed, validates; then `lesionseg.predict` outlines the photographs of the fifth, and its
predictions.csv is held against the ground truths. A mask fails where its Jaccard index is below 0.65, at the files' own
size, as in the challenge's `threshold_jaccard`. The table has, for `review=probabilities`, for `review=views` and for
what came before (the probabilities as they are, below 0.75), how many masks fail, which share of these is marked, which
share of all is marked, the means of the expected and of the real Jaccard index, and the area under the ROC curve of
finding failures by the expected one.

`--fit` prints the weights of `lesionseg.prediction.prediction` (CONSTANT, STATED, AGREEMENT) as the named
cameras, left out, would have them: logistic regression with the real Jaccard index as its target, weights not below 0.
Trainings that are in the folder already are not done again; predictions are.
"""

import argparse
import csv
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from lesionseg.checkpoint.engine import CheckpointEngine
from lesionseg.data.image_file import read_photograph, resize_image
from lesionseg.postprocessing.temperature import softened
from lesionseg.prediction.prediction import SUREST, jaccard, stated_jaccard

Floats = NDArray[np.float64]

FAILS_BELOW = 0.65
LESION_ABOVE = 128
"""Of a mask's grey levels."""
TOGETHER = 16
"""Photographs in a batch."""
BEFORE = 0.75
"""Below which masks were marked when the probabilities were taken as they are."""
VALIDATION_SHARE = 0.1
"""Of the images of the cameras trained on."""


def camera(width: int, height: int) -> str:
    """Names the group of a photograph: the three commonest sizes, the other large and the other small ones."""
    name = f"{width}x{height}"
    if name in ("1024x768", "4288x2848", "3008x2000"):
        return name
    return "other_large" if width >= 2000 else "other_small"


def cameras(facts: Path) -> dict[str, str]:
    """Returns the group of each image by its id."""
    with facts.open(encoding="utf-8") as file:
        return {row["image_id"]: camera(int(row["width"]), int(row["height"])) for row in csv.DictReader(file)}


def link(arguments: argparse.Namespace, left_out: str, folder: Path) -> None:
    """Makes a folder of links: the camera left out is the test part, and a tenth of all others validates."""
    others = sorted(id_ for id_, name in arguments.camera_of.items() if name != left_out)
    drawn = random.Random(arguments.seed).sample(others, round(len(others) * VALIDATION_SHARE))
    part_of = dict.fromkeys(arguments.camera_of, "test") | dict.fromkeys(others, "train")
    part_of |= dict.fromkeys(drawn, "validation")
    for path in sorted(arguments.root.rglob("ISIC_*")):
        part = part_of.get(path.stem.removesuffix("_segmentation"))  # superpixel pictures have none
        if part is not None:
            target = folder / part / ("images" if path.suffix == ".jpg" else "masks") / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(path)


def train(arguments: argparse.Namespace, left_out: str, folder: Path) -> Path:
    """Trains on all cameras but one, unless that has been done; returns the checkpoint."""
    if not (folder / "training" / "report.html").exists():
        link(arguments, left_out, folder / "data")
        run(
            "train",
            "experiment=isic2017_fast",
            "data=folder",
            f"data.root={folder / 'data'}",
            "data.mask_suffix=_segmentation",
            f"image_size={arguments.image_size}",
            f"trainer.max_epochs={arguments.epochs}",
            *([] if arguments.epochs >= 30 else ["callbacks.ema.decay=0.995"]),  # an average that fits so few steps
            f"seed={arguments.seed}",
            "evaluation.picture_size=0",
            f"hydra.run.dir={folder / 'training'}",
        )
    return folder / "training" / "checkpoints" / "best.ckpt"


def run(verb: str, *words: str) -> None:
    """Runs a verb in its own process."""
    subprocess.run([sys.executable, "-m", f"lesionseg.{verb}", *words], check=True)


@dataclass(frozen=True)
class Found:
    """What became of a camera's photographs, all (images,)."""

    real: Floats
    """Jaccard index of each mask."""
    expected: Floats
    marked: NDArray[np.bool_]

    def cells(self) -> list[str]:
        """Words the row of a table."""
        fails = self.real < FAILS_BELOW
        caught = np.count_nonzero(fails & self.marked)
        return [
            str(len(self.real)),
            str(np.count_nonzero(fails)),
            f"{caught} ({100 * caught / max(np.count_nonzero(fails), 1):.0f} %)",
            f"{100 * self.marked.mean():.0f} %",
            f"{self.expected.mean():.3f}",
            f"{self.real.mean():.3f}",
            f"{roc_auc_score(fails, -self.expected):.3f}" if 0 < fails.sum() < len(fails) else "",
        ]


def predicted(checkpoint: Path, folder: Path, review: str) -> Found:
    """Outlines the photographs of the camera left out, and reads what predict says of its masks."""
    masks = folder / f"masks_{review}"
    shutil.rmtree(masks, ignore_errors=True)
    images = folder / "data" / "test" / "images"
    run("predict", f"checkpoint={checkpoint}", f"input={images}", f"output={masks}", f"review={review}")
    with (masks / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    real = [real_jaccard(masks / row["mask"], folder / "data" / "test" / "masks") for row in rows]
    expected = [float(row["expected_jaccard"]) for row in rows]
    return Found(np.array(real), np.array(expected), np.array([row["review"] == "yes" for row in rows]))


def real_jaccard(mask: Path, truths: Path) -> float:
    """Scores a mask as the challenge does."""
    prediction = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > LESION_ABOVE
    truth = cv2.imread(str(truths / f"{mask.stem}_segmentation.png"), cv2.IMREAD_GRAYSCALE) > LESION_ABOVE
    return jaccard(prediction, truth)


@dataclass(frozen=True)
class Signs:
    """What the rule puts together, all (images,)."""

    plain: Floats
    """What the network says as it is, as `review` took it before there was a temperature."""
    stated: Floats
    agreement: Floats


def signs(checkpoint: Path, folder: Path) -> Signs:
    """Looks at each of the photographs twice."""
    engine = CheckpointEngine(checkpoint, device="auto", precision="auto")
    size, threshold = engine.facts.image_size, np.float32(engine.facts.threshold)
    paths = sorted((folder / "data" / "test" / "images").iterdir())
    found: list[tuple[float, float, float]] = []
    for start in range(0, len(paths), TOGETHER):
        read = (read_photograph(path, for_size=size).pixels for path in paths[start : start + TOGETHER])
        images = np.stack([resize_image(pixels, size) for pixels in read])
        for probability, second_look in zip(engine.probability(images), engine.second_look(images), strict=True):
            lesion = probability > threshold
            stated = stated_jaccard(softened(probability, engine.facts.temperature), lesion)
            found.append((stated_jaccard(probability, lesion), stated, jaccard(lesion, second_look > threshold)))
    return Signs(*np.array(found).T)


def fitted(columns: Sequence[Floats], real: Floats) -> list[float]:
    """Fits the constant and a weight for each column's logit, by what the Jaccard index is on average."""
    design = np.stack([np.ones(len(real)), *(logits(column) for column in columns)], axis=1)

    def cross_entropy(weights: Floats) -> float:
        return float(np.mean(np.logaddexp(0, design @ weights) - real * (design @ weights)))

    bounds = [(None, None)] + [(0, None)] * len(columns)
    return [round(float(weight), 2) for weight in minimize(cross_entropy, np.zeros(len(bounds)), bounds=bounds).x]


def logits(signs: Floats) -> Floats:
    """Computes logits of signs as the rule does."""
    within = np.clip(signs, 1 - SUREST, SUREST)
    return np.log(within / (1 - within))


def print_fit(found: Mapping[str, Found], looked: Mapping[str, Signs]) -> None:
    """Prints the weights that these cameras would have."""
    real = np.concatenate([found[name].real for name in looked])
    stated = np.concatenate([signs.stated for signs in looked.values()])
    agreement = np.concatenate([signs.agreement for signs in looked.values()])
    outlined = np.concatenate([found[name].expected > 0 for name in looked])  # the others expect 0 whatever the rule
    weights = fitted([column[outlined] for column in (stated, agreement)], real[outlined])
    print(f"CONSTANT, STATED, AGREEMENT = {weights}, fitted on {', '.join(looked)}")


def print_table(title: str, found: Mapping[str, Found]) -> None:
    """Prints a row for each camera, and one for all of them."""
    print(f"\n{title}\n| camera | images | fail | of these marked | of all marked | expected | real | AUC |")
    print("|---|---|---|---|---|---|---|---|")
    every = [np.concatenate([getattr(one, name) for one in found.values()]) for name in ("real", "expected", "marked")]
    for name, one in {**found, "all": Found(*every)}.items():
        print(f"| {' | '.join([name, *one.cells()])} |")


def main() -> None:
    """Trains what is missing, predicts and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--facts", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("logs/review_recall"))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--fit", nargs="+")
    arguments = parser.parse_args()
    arguments.root, arguments.folder = arguments.root.absolute(), arguments.folder.absolute()
    torch.set_num_threads(1)
    arguments.camera_of = cameras(arguments.facts)
    names = arguments.only or sorted(set(arguments.camera_of.values()))
    checkpoints = {name: train(arguments, name, arguments.folder / name) for name in names}
    found = {
        review: {name: predicted(checkpoints[name], arguments.folder / name, review) for name in names}
        for review in ("probabilities", "views")
    }
    looked = {name: signs(checkpoints[name], arguments.folder / name) for name in names}
    before = {
        name: Found(one.real, looked[name].plain, looked[name].plain < BEFORE) for name, one in found["views"].items()
    }
    for review, one in {**{f"review={name}": one for name, one in found.items()}, "as before": before}.items():
        print_table(review, one)
    if arguments.fit:
        print_fit(found["views"], {name: looked[name] for name in arguments.fit})


if __name__ == "__main__":
    main()
