import math

import pytest
import torch
from sklearn.metrics import fbeta_score, jaccard_score

from lesionseg.loss.dice import DiceLoss
from lesionseg.loss.tversky import TverskyLoss


def sure(mask: torch.Tensor) -> torch.Tensor:
    """Logits whose probability is the mask itself in float32."""
    return mask.float() * 200 - 100


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(1, 1, 9, 9, generator=generator) < 0.4
    return prediction, torch.rand(1, 1, 9, 9, generator=generator) < 0.4


def test_equal_prices_of_a_half_are_the_dice_loss() -> None:
    logits = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = logits.roll(1, -1) > 0
    tversky = TverskyLoss(alpha=0.5, beta=0.5, gamma=1.0, smooth=0.5)(logits, mask)
    torch.testing.assert_close(tversky, DiceLoss(smooth=1.0)(logits, mask))


def test_equal_prices_of_one_are_the_jaccard_index_of_scikit_learn() -> None:
    prediction, mask = pair()
    loss = TverskyLoss(alpha=1.0, beta=1.0, gamma=1.0, smooth=1e-6)(sure(prediction), mask)
    assert 1 - loss.item() == pytest.approx(jaccard_score(mask.flatten(), prediction.flatten()), abs=1e-6)


@pytest.mark.parametrize("b", [0.5, 1.0, 2.0])
def test_prices_that_add_up_to_one_are_the_f_score_of_scikit_learn(b: float) -> None:
    """F_b weighs false negatives by b ** 2: which of the two prices belongs to which error is settled here."""
    prediction, mask = pair()
    beta = b**2 / (1 + b**2)
    loss = TverskyLoss(alpha=1 - beta, beta=beta, gamma=1.0, smooth=1e-6)(sure(prediction), mask)
    assert 1 - loss.item() == pytest.approx(fbeta_score(mask.flatten(), prediction.flatten(), beta=b), abs=1e-6)


def test_gamma_is_the_exponent_of_each_image() -> None:
    mask = torch.tensor([[1, 1], [0, 0]]).reshape(1, 1, 2, 2).expand(2, 1, 2, 2)
    prediction = torch.tensor([[[1, 0], [0, 0]], [[1, 1], [0, 0]]]).reshape(2, 1, 2, 2)
    loss = TverskyLoss(alpha=1.0, beta=1.0, gamma=0.5, smooth=1e-6)(sure(prediction), mask)
    assert loss.item() == pytest.approx((math.sqrt(1 - 1 / 2) + 0) / 2, abs=2e-4)  # the held 1e-7 is 3e-4 after gamma


@pytest.mark.parametrize("gamma", [0.5, 0.75, 1.0, 1.5])
def test_a_perfect_prediction_is_zero_with_finite_gradient(gamma: float) -> None:
    mask = torch.tensor([[1, 1], [0, 0]]).reshape(1, 1, 2, 2)
    logits = sure(mask).requires_grad_()
    loss = TverskyLoss(alpha=0.3, beta=0.7, gamma=gamma, smooth=1.0)(logits, mask)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=4e-4)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_empty_mask_and_empty_prediction_is_zero() -> None:
    empty = torch.zeros(1, 1, 4, 4)
    loss = TverskyLoss(alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0)(sure(empty), empty)
    assert 0 <= loss.item() <= 6e-6


def test_empty_mask_costs_the_priced_area_over_itself_and_smooth() -> None:
    logits = torch.zeros(1, 1, 4, 4)  # 16 pixels at probability 0.5
    loss = TverskyLoss(alpha=0.25, beta=0.75, gamma=1.0, smooth=3.0)(logits, torch.zeros(1, 1, 4, 4))
    assert loss.item() == pytest.approx(0.25 * 8 / (0.25 * 8 + 3))


def test_gradient_is_that_of_finite_differences() -> None:
    logits = torch.tensor([[-1.0, 0.5], [1.0, 2.0]], dtype=torch.float64).reshape(1, 1, 2, 2).requires_grad_()
    mask = torch.tensor([[0, 1], [1, 0]]).reshape(1, 1, 2, 2)
    loss = TverskyLoss(alpha=0.3, beta=0.7, gamma=0.75, smooth=1.0)
    assert torch.autograd.gradcheck(lambda z: loss(z, mask), logits, eps=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"alpha": -0.1}, "alpha"),
        ({"beta": math.inf}, "beta"),
        ({"alpha": 0.0, "beta": 0.0}, "both 0"),
        ({"gamma": 0.0}, "gamma"),
        ({"gamma": math.nan}, "gamma"),
        ({"smooth": 0.0}, "smooth"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(change: dict[str, float], culprit: str) -> None:
    allowed = {"alpha": 0.3, "beta": 0.7, "gamma": 1.0, "smooth": 1.0}
    with pytest.raises(ValueError, match=culprit):
        TverskyLoss(**(allowed | change))
