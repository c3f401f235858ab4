import numpy as np
import pytest
from scipy.special import expit

from lesionseg.postprocessing.temperature import HIGHEST, LOWEST, NEUTRAL, fit_temperature, logit, softened


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_that_logits_were_made_too_large_by_is_found(temperature: float) -> None:
    generator = np.random.default_rng(0)
    honest = generator.normal(0, 2, (20, 64, 64)).astype(np.float32)
    truths = (generator.random(honest.shape) < expit(honest)).astype(np.uint8)
    assert fit_temperature(zip(expit(honest * temperature), truths, strict=True)) == pytest.approx(
        temperature, rel=0.03
    )


def test_softening_by_it_leaves_half_and_divides_the_odds_logarithm() -> None:
    probability = np.array([0.5, 0.9, 0.1, 0.0, 1.0], np.float32)  # 0.9 has the odds 9; by 2, their root is 3
    np.testing.assert_allclose(softened(probability, 2.0), [0.5, 0.75, 0.25, 0, 1], atol=1e-3)
    np.testing.assert_allclose(softened(probability, 1.0), probability, atol=1e-6)


def test_certain_probabilities_have_finite_logits() -> None:
    assert logit(np.array([0.0, 1.0], np.float32)).tolist() == pytest.approx([-87.3, 16.6], abs=0.1)


def test_without_pixels_nothing_is_known() -> None:
    assert fit_temperature([]) == NEUTRAL


@pytest.mark.parametrize(("probability", "bound"), [(0.9, LOWEST), (0.1, HIGHEST)])
def test_a_network_that_is_always_right_or_always_wrong_stays_within_bounds(probability: float, bound: float) -> None:
    pairs = [(np.full((8, 8), probability, np.float32), np.ones((8, 8), np.uint8))]
    assert fit_temperature(pairs) == pytest.approx(bound, rel=1e-2)
