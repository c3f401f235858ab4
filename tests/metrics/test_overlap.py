"""The numbers of the ISIC challenge's own scorer for hand-made masks, to the last digit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.evaluation.mask_folders import read_decision
from lesionseg.metrics.image_scores import Counts
from lesionseg.metrics.overlap import count, overlap_scores

GREY = {".": 0, "#": 255, "a": 128, "b": 129}
THIRD = 0.6666666666666666

# What isic-challenge-scoring 5.6.0 gives for these files (`binary_*` of its metrics), in the order of NAMES.
NAMES = ("accuracy", "sensitivity", "specificity", "jaccard", "threshold_jaccard", "dice")
CHALLENGE = {
    "both empty": (["....", "...."], ["....", "...."], (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)),
    "missed": (["##..", "##.."], ["....", "...."], (0.5, 0.0, 1.0, 0.0, 0.0, 0.0)),
    "false alarm": (["....", "...."], ["#...", "...."], (0.875, 1.0, 0.875, 0.0, 0.0, 0.0)),
    "all lesion, all found": (["####", "####"], ["####", "####"], (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)),
    "all lesion, half found": (["####", "####"], ["##..", "##.."], (0.5, 0.5, 1.0, 0.5, 0.0, THIRD)),
    "overlap": (["###.", "###."], [".###", ".###"], (0.5, THIRD, 0.0, 0.5, 0.0, THIRD)),
    "one third": (["#..."], ["###."], (0.5, 1.0, 0.3333333333333333, 0.3333333333333333, 0.0, 0.5)),
    "exactly 0.65": (["#" * 13 + "." * 7], ["#" * 20], (0.65, 1.0, 0.0, 0.65, 0.65, 0.7878787878787878)),
    "below 0.65": (
        ["#" * 12 + "." * 8],
        ["#" * 19 + "."],
        (0.65, 1.0, 0.125, 0.631578947368421, 0.0, 0.7741935483870968),
    ),
    "grey 128 is skin, 129 lesion": (["ab.."], ["ba##"], (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
}


@pytest.mark.parametrize("name", CHALLENGE)
def test_files_score_as_the_challenge_scores_them(name: str, tmp_path: Path) -> None:
    truth, prediction, figures = CHALLENGE[name]
    masks = []
    for stem, rows in (("prediction", prediction), ("truth", truth)):
        grey = np.array([[GREY[character] for character in row] for row in rows], np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{stem}.png")
        masks.append(read_decision(tmp_path / f"{stem}.png", 128, f"{stem}_above"))
    scores = overlap_scores(count(*masks))
    assert tuple(scores[name] for name in NAMES) == figures


def test_pixels_are_counted_by_kind() -> None:
    target, prediction = np.array([[1, 1, 1, 0, 0]], np.uint8), np.array([[1, 1, 0, 1, 0]], np.uint8)
    assert count(prediction, target) == Counts(2, 1, 1, 1)


def test_an_image_below_the_threshold_is_a_failure_and_one_at_it_is_not() -> None:
    assert overlap_scores(Counts(65, 35, 0, 0))["failure"] == 0
    assert overlap_scores(Counts(64, 36, 0, 0))["failure"] == 1


def test_missing_every_lesion_earns_no_precision() -> None:
    assert overlap_scores(Counts(0, 0, 5, 5))["precision"] == 0
    assert overlap_scores(Counts(0, 0, 0, 5))["precision"] == 1


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: one shape"):
        count(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
