"""Every formula on ints, arrays and tensors, against hand-drawn masks, scikit-learn and the ISIC challenge's scorer."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn import metrics as sklearn

from lesionseg.evaluation.folder_scoring import read_thresholded
from lesionseg.metrics.definitions import standard_formulas
from lesionseg.metrics.formula import Counts, Formula, image_scores, mean_scores, total
from lesionseg.metrics.image_scores import count
from lesionseg.metrics.jaccard import Failure, ThresholdJaccard

FORMULAS = standard_formulas()
EMPTY, CORNER, ROW, FULL = (np.array(mask, np.uint8) for mask in ([[0] * 4], [[1, 0, 0, 0]], [[1, 1, 0, 0]], [[1] * 4]))
MASKS = {
    "dice": [
        (ROW, ROW, 1.0),
        (CORNER, ROW, 2 / 3),
        (ROW, CORNER, 2 / 3),
        (FULL, ROW, 4 / 6),
        (EMPTY, EMPTY, 1.0),  # isic-challenge-scoring: a perfect answer
        (EMPTY, ROW, 0.0),
        (ROW, EMPTY, 0.0),
        (FULL, FULL, 1.0),
    ],
    "jaccard": [
        (ROW, ROW, 1.0),
        (CORNER, ROW, 1 / 2),
        (ROW, CORNER, 1 / 2),
        (FULL, CORNER, 1 / 4),
        (EMPTY, EMPTY, 1.0),  # isic-challenge-scoring: a perfect answer
        (EMPTY, ROW, 0.0),
        (ROW, EMPTY, 0.0),
    ],
    "threshold_jaccard": [(ROW, ROW, 1.0), (CORNER, ROW, 0.0), (EMPTY, EMPTY, 1.0), (EMPTY, ROW, 0.0)],
    "failure": [(ROW, ROW, 0.0), (CORNER, ROW, 1.0), (EMPTY, EMPTY, 0.0), (EMPTY, ROW, 1.0)],
    "precision": [
        (CORNER, ROW, 1.0),
        (ROW, CORNER, 1 / 2),
        (FULL, CORNER, 1 / 4),
        (EMPTY, EMPTY, 1.0),
        (EMPTY, ROW, 0.0),  # isic-challenge-scoring gives 1 here: missing every lesion must not pay
        (ROW, EMPTY, 0.0),
    ],
    "recall": [
        (CORNER, ROW, 1 / 2),
        (ROW, CORNER, 1.0),
        (CORNER, FULL, 1 / 4),
        (EMPTY, EMPTY, 1.0),
        (ROW, EMPTY, 1.0),  # isic-challenge-scoring: a freebie
        (EMPTY, ROW, 0.0),
    ],
    "specificity": [
        (CORNER, ROW, 1.0),
        (ROW, CORNER, 2 / 3),
        (FULL, CORNER, 0.0),
        (EMPTY, EMPTY, 1.0),
        (ROW, FULL, 1.0),  # no background: isic-challenge-scoring gives a freebie
    ],
    "accuracy": [(CORNER, ROW, 3 / 4), (FULL, CORNER, 1 / 4), (EMPTY, EMPTY, 1.0), (EMPTY, FULL, 0.0)],
}
MASKS["sensitivity"] = MASKS["recall"]
CASES = [(name, *case) for name, cases in MASKS.items() for case in cases]
ORACLES = {
    "dice": sklearn.f1_score,
    "jaccard": sklearn.jaccard_score,
    "precision": sklearn.precision_score,
    "recall": sklearn.recall_score,
    "sensitivity": sklearn.recall_score,
    "specificity": lambda truth, prediction: sklearn.recall_score(1 - truth, 1 - prediction),
    "accuracy": sklearn.accuracy_score,
}


@pytest.fixture(scope="module")
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions and truths of six images of two sizes, as flat masks."""
    generator = np.random.default_rng(0)
    masks = [(generator.random((2, size)) < 0.4).astype(np.uint8) for size in (63, 200) for _ in range(3)]
    return [(prediction, truth) for prediction, truth in masks]


def counted(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[Counts]:
    return [count(prediction[None], truth[None]) for prediction, truth in pairs]


@pytest.mark.parametrize(("name", "prediction", "target", "expected"), CASES)
def test_hand_drawn_masks(name: str, prediction: np.ndarray, target: np.ndarray, expected: float) -> None:
    assert FORMULAS[name].score(count(prediction, target)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("name", ORACLES)
def test_each_image_has_the_score_of_scikit_learn(name: str, pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    found = [FORMULAS[name].score(one) for one in counted(pairs)]
    assert found == pytest.approx([ORACLES[name](truth, prediction) for prediction, truth in pairs], abs=1e-15)


@pytest.mark.parametrize("name", ["dice", "jaccard"])
def test_pooled_is_the_score_of_all_pixels_as_one_image(name: str, pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    prediction, truth = (np.concatenate([pair[place] for pair in pairs]) for place in (0, 1))
    means = mean_scores(FORMULAS, counted(pairs))
    assert means[f"pooled_{name}"] == pytest.approx(ORACLES[name](truth, prediction), abs=1e-15)
    assert means[name] != means[f"pooled_{name}"]


def test_the_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    prediction, truth = (np.concatenate([pair[place] for pair in pairs]) for place in (0, 1))
    matrix = FORMULAS["confusion_matrix"].score(total(counted(pairs)))
    assert np.array(matrix).tolist() == sklearn.confusion_matrix(truth, prediction).tolist()


@pytest.mark.parametrize("name", [name for name, one in FORMULAS.items() if name != "confusion_matrix"])
def test_ints_arrays_and_tensors_score_alike(name: str) -> None:
    images = [Counts(*counts) for counts in np.random.default_rng(0).integers(0, 3, (60, 4)).tolist()]
    formula = FORMULAS[name]
    expected = [formula.score(one) for one in images]
    array = formula.score(Counts(*np.array(images).T))
    tensor = formula.score(Counts(*torch.tensor(images).T))
    assert all(type(one) is float for one in expected)
    assert (array.dtype, tensor.dtype) == (np.float64, torch.float32)
    assert array.tolist() == expected
    assert tensor.tolist() == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("pixels", "jaccard", "failure"), [(200, 1.0, 0), (131, 131 / 200, 0), (130, 0.65, 0), (129, 0.0, 1), (0, 0.0, 1)]
)
def test_an_image_below_the_threshold_is_a_failure_and_counts_zero(pixels: int, jaccard: float, failure: int) -> None:
    counts = Counts(pixels, 0, 200 - pixels, 0)
    assert FORMULAS["threshold_jaccard"].score(counts) == jaccard
    assert FORMULAS["failure"].score(counts) == failure


@pytest.mark.parametrize("formula", [ThresholdJaccard, Failure])
@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, 65])
def test_a_threshold_out_of_range_is_refused(formula: type[Formula], threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        formula(threshold=threshold)  # type: ignore[call-arg]


def test_an_image_of_nothing_changes_no_pooled_score() -> None:
    """Per image it would score 1 and lift the mean."""
    images = [Counts(1, 0, 1, 0), Counts(0, 0, 0, 2_500)]
    assert mean_scores(FORMULAS, images)["pooled_dice"] == mean_scores(FORMULAS, images[:1])["pooled_dice"] == 2 / 3


# Masks' files: the numbers of isic-challenge-scoring 5.6.0 (`binary_*` of its metrics), in the order of NAMES.

GREY = {".": 0, "#": 255, "a": 128, "b": 129}
THIRD = 0.6666666666666666
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
        masks.append(read_thresholded(tmp_path / f"{stem}.png", 128, f"{stem}_above"))
    scores = image_scores(FORMULAS, count(*masks))
    assert tuple(scores[name] for name in NAMES) == figures
