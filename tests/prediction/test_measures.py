import numpy as np
import pytest

from lesionseg.decision.runs import runs_above
from lesionseg.prediction.measures import expected_jaccard, measure


def test_a_sure_mask_expects_to_be_right() -> None:
    probability = np.zeros((4, 4), np.float32)
    probability[1:3, 1:3] = 1
    assert expected_jaccard(probability, probability > 0.5) == 1


def test_doubt_inside_and_outside_lowers_the_expectation() -> None:
    probability = np.array([[0.9, 0.6], [0.4, 0.1]], np.float32)
    # mask: 0.9 and 0.6; shared 1.5, together 2 + 0.4 + 0.1
    assert expected_jaccard(probability, probability > 0.5) == pytest.approx(1.5 / 2.5)


def test_it_is_near_the_average_over_truths_drawn_from_the_probabilities() -> None:
    generator = np.random.default_rng(0)
    probability = generator.random((60, 60)).astype(np.float32) ** 2
    mask = probability > 0.5
    truths = generator.random((400, 60, 60)) < probability
    jaccards = (truths & mask).sum((1, 2)) / (truths | mask).sum((1, 2))
    assert expected_jaccard(probability, mask) == pytest.approx(jaccards.mean(), abs=0.003)


def test_an_empty_mask_expects_nothing() -> None:
    assert expected_jaccard(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool)) == 0


def test_everything_is_measured_on_a_hand_drawn_lesion() -> None:
    probability = np.zeros((8, 8), np.float32)
    probability[2:4, 2:6] = 0.75
    measures = measure(runs_above(probability, 0.5, (8, 8)), probability, 0.5)
    assert (measures.width, measures.height, measures.area_pixels) == (8, 8, 8)
    assert measures.area_percent == 12.5
    assert measures.centroid == (3.5, 2.5)
    assert measures.mean_confidence == 0.75
    assert measures.expected_jaccard == pytest.approx(0.75)
    assert not measures.touches_border


def test_without_a_lesion_there_is_no_place_and_no_confidence() -> None:
    probability = np.zeros((8, 8), np.float32)
    measures = measure(runs_above(probability, 0.5, (8, 8)), probability, 0.5)
    assert (measures.area_pixels, measures.box, measures.centroid, measures.mean_confidence) == (0, None, None, None)
