"""Means, pooled scores, strata and fingerprints of a whole evaluation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.summary import Summary, alarms, summarise
from lesionseg.metrics import formula
from lesionseg.metrics.definitions import standard_formulas
from lesionseg.metrics.formula import Counts
from lesionseg.metrics.image_scores import ImageScores

Summarise = Callable[..., Summary]


@pytest.fixture(scope="session")
def summary_of(evaluation_settings: EvaluationSettings) -> Summarise:
    """Summarises images, with some settings changed."""

    def summarised(images: list[ImageScores], **changes: Any) -> Summary:
        settings = replace(evaluation_settings, **changes)
        return summarise(images, None, name="mine", facts={}, settings=settings, formulas=standard_formulas())

    return summarised


def pixels(images: list[ImageScores]) -> tuple[list[int], list[int]]:
    """Spreads the counts out into truth and prediction of single pixels."""
    tp, fp, fn, tn = (sum(image.counts[kind] for image in images) for kind in range(4))
    return [1] * tp + [0] * fp + [1] * fn + [0] * tn, [1] * tp + [1] * fp + [0] * fn + [0] * tn


def test_means_are_over_images(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    estimate = summary_of(image_scores).metrics["jaccard"]
    values = [image.scores["jaccard"] for image in image_scores]
    assert estimate.value == pytest.approx(np.mean(values))
    assert estimate.median == pytest.approx(np.median(values))
    assert estimate.deviation == pytest.approx(np.std(values, ddof=1))
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high


def test_pooled_scores_are_scikit_learns_over_all_pixels(
    summary_of: Summarise, image_scores: list[ImageScores]
) -> None:
    pooled = summary_of(image_scores).pooled
    truth, prediction = pixels(image_scores)
    for name, score in {
        "dice": f1_score, "jaccard": jaccard_score, "precision": precision_score, "recall": recall_score
    }.items():  # fmt: skip
        assert pooled[name].value == pytest.approx(score(truth, prediction)), name


def test_pooled_and_mean_are_two_numbers(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    small, large = Counts(1, 0, 9, 990), Counts(900, 0, 0, 100)
    images = [
        replace(image, counts=counts, scores=image.scores | formula.image_scores(standard_formulas(), counts))
        for image, counts in zip(image_scores, (small, large), strict=False)
    ]
    summary = summary_of(images)
    assert summary.metrics["jaccard"].value == pytest.approx((0.1 + 1) / 2)
    assert summary.pooled["jaccard"].value == pytest.approx(901 / 910)
    assert summary.confusion_matrix == ((1090, 0), (9, 901))


def test_each_group_has_its_own_images(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    sizes = summary_of(image_scores).strata[0]
    assert {group.label: group.images for group in sizes.groups} == {"small": 7, "large": 5}
    large = [image.scores["dice"] for image in image_scores if image.strata["lesion size"] == "large"]
    assert next(g for g in sizes.groups if g.label == "large").metrics["dice"].value == pytest.approx(np.mean(large))


def test_missed_lesions_are_counted(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    assert summary_of(image_scores).missed == 1


def test_one_image_has_no_interval(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    summary = summary_of(image_scores[:1])
    assert (summary.metrics["dice"].low, summary.metrics["dice"].deviation) == (None, None)
    assert summary.pooled["dice"].low is None


def test_the_test_set_is_known_by_ids_and_ground_truth_whatever_the_order(
    summary_of: Summarise, image_scores: list[ImageScores]
) -> None:
    whole = summary_of(image_scores).test_set_sha256
    assert summary_of(image_scores[::-1]).test_set_sha256 == whole
    assert summary_of(image_scores[1:]).test_set_sha256 != whole
    resized = [replace(image_scores[0], target_sha256="other"), *image_scores[1:]]
    assert summary_of(resized).test_set_sha256 != whole


def test_another_tolerance_is_another_definition(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    other = summary_of(image_scores, boundary_tolerance=2.0)
    assert other.definitions != summary_of(image_scores).definitions


def test_the_seed_fixes_the_intervals(summary_of: Summarise, image_scores: list[ImageScores]) -> None:
    assert summary_of(image_scores) == summary_of(image_scores)
    assert summary_of(image_scores, seed=1) != summary_of(image_scores)


# Masks of no use

GOOD = Counts(true_positives=20, false_positives=5, false_negatives=5, true_negatives=70)
POOR = Counts(true_positives=10, false_positives=10, false_negatives=10, true_negatives=70)
EMPTY = Counts(true_positives=0, false_positives=0, false_negatives=25, true_negatives=75)
FULL = Counts(true_positives=25, false_positives=75, false_negatives=0, true_negatives=0)
RIGHTLY_EMPTY = Counts(true_positives=0, false_positives=0, false_negatives=0, true_negatives=100)
BESIDE = Counts(true_positives=1, false_positives=40, false_negatives=24, true_negatives=35)


@pytest.mark.parametrize("images", [[GOOD], [POOR], [GOOD, GOOD, EMPTY], [RIGHTLY_EMPTY, GOOD]])
def test_masks_of_some_use_raise_none(images: list[Counts]) -> None:
    assert alarms(images) == []


def test_masks_that_mark_nothing_raise_one_with_their_number() -> None:
    assert "Nothing is marked in 2 of 3 images" in alarms([EMPTY, EMPTY, GOOD, RIGHTLY_EMPTY])[0]


def test_ground_truths_that_all_are_empty_raise_one_although_they_score_1() -> None:
    (alarm,) = alarms([RIGHTLY_EMPTY, RIGHTLY_EMPTY])
    assert "No ground truth (2 in all) shows a lesion" in alarm


def test_masks_that_mark_everything_raise_one_with_their_number() -> None:
    assert "The whole image is marked in 2 of 3 images" in alarms([FULL, FULL, GOOD])[0]


def test_masks_worse_than_marking_everything_raise_one_with_both_scores() -> None:
    """Jaccard 1 / 65 against the lesion's share, 25 / 100."""
    (alarm,) = alarms([BESIDE])
    assert "0.0154" in alarm
    assert "0.2500" in alarm


def test_a_lesion_that_fills_every_image_is_no_alarm() -> None:
    assert alarms([Counts(100, 0, 0, 0)]) == []
