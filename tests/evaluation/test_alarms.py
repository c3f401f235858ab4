"""Masks that are of no use raise an alarm; masks that are merely poor do not."""

import pytest

from lesionseg.evaluation.alarms import alarms
from lesionseg.evaluation.image_scores import Counts

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
