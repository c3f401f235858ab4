import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionseg.prediction.prediction import (
    expected_jaccard,
    expected_of,
    jaccard,
    stated_jaccard,
)


def test_a_sure_mask_states_that_it_is_right() -> None:
    probability = np.zeros((4, 4), np.float32)
    probability[1:3, 1:3] = 1
    assert stated_jaccard(probability, probability > 0.5) == 1


def test_doubt_inside_and_outside_lowers_what_is_stated() -> None:
    probability = np.array([[0.9, 0.6], [0.4, 0.1]], np.float32)
    # mask: 0.9 and 0.6; shared 1.5, together 2 + 0.4 + 0.1
    assert stated_jaccard(probability, probability > 0.5) == pytest.approx(1.5 / 2.5)


def test_it_is_near_the_average_over_truths_drawn_from_the_probabilities() -> None:
    generator = np.random.default_rng(0)
    probability = generator.random((60, 60)).astype(np.float32) ** 2
    mask = probability > 0.5
    truths = generator.random((400, 60, 60)) < probability
    jaccards = (truths & mask).sum((1, 2)) / (truths | mask).sum((1, 2))
    assert stated_jaccard(probability, mask) == pytest.approx(jaccards.mean(), abs=0.003)


def test_an_empty_mask_states_nothing() -> None:
    assert stated_jaccard(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool)) == 0


def blob(side: int, *, sure: float = 0.999) -> NDArray[np.float32]:
    """Draws a square lesion in the middle of 40 x 40 pixels."""
    probability = np.full((40, 40), 1 - sure, np.float32)
    start = (40 - side) // 2
    probability[start : start + side, start : start + side] = sure
    return probability


def expected(first: NDArray[np.float32], second: NDArray[np.float32] | None, *, temperature: float = 1.0) -> float:
    return expected_jaccard(first, second, threshold=0.5, temperature=temperature)[0]


def test_a_second_look_that_disagrees_lowers_what_is_expected() -> None:
    same, half, nothing = (expected(blob(20), second) for second in (blob(20), blob(14), blob(0)))
    assert same > half > nothing
    assert same - nothing > 0.2


def test_the_agreement_is_the_two_masks_jaccard_index() -> None:
    assert expected_jaccard(blob(20), blob(10), threshold=0.5, temperature=1.0)[1] == 100 / 400
    assert expected_jaccard(blob(0), blob(0), threshold=0.5, temperature=1.0) == (0.0, 1.0)


def test_a_network_that_was_too_sure_on_validation_images_is_believed_less() -> None:
    assert expected(blob(20), None, temperature=3.0) < expected(blob(20), None) - 0.02


def test_without_a_second_look_it_is_what_the_softened_probabilities_state() -> None:
    probability = np.array([[0.9, 0.9, 0.1, 0.1]], np.float32)  # by 2 they are 0.75 and 0.25
    assert expected(probability, None, temperature=2.0) == pytest.approx(1.5 / (2 + 0.5), abs=1e-6)


def test_less_of_either_sign_never_raises_what_is_expected() -> None:
    signs = np.linspace(0, 1, 21)
    values = np.array([[expected_of(stated, agreement) for agreement in signs] for stated in signs])
    assert (np.diff(values, axis=0) >= 0).all()
    assert (np.diff(values, axis=1) >= 0).all()
    assert 0 < values.min() < values.max() < 1


@pytest.mark.parametrize(("side", "sure"), [*itertools.product((0, 2, 20, 40), (0.5, 0.6, 1.0))])
def test_it_is_a_finite_number_for_any_mask(side: int, sure: float) -> None:
    for second in (None, blob(side, sure=sure), blob(0), blob(40)):
        assert 0 <= expected(blob(side, sure=sure), second) <= 1


def test_two_empty_masks_agree() -> None:
    nothing = np.zeros((3, 3), bool)
    assert jaccard(nothing, nothing) == 1
    assert jaccard(nothing, ~nothing) == 0
