import math

import pytest
import torch
from sklearn.metrics import f1_score

from lesionseg.loss.dice import DiceLoss


def sure(mask: torch.Tensor) -> torch.Tensor:
    """Logits whose probability is the mask itself in float32."""
    return mask.float() * 200 - 100


def test_on_sure_predictions_it_is_one_minus_the_mean_f1_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(4, 1, 9, 9, generator=generator) < 0.4
    mask = torch.rand(4, 1, 9, 9, generator=generator) < 0.4
    expected = [1 - f1_score(g.flatten(), p.flatten()) for g, p in zip(mask.numpy(), prediction.numpy(), strict=True)]
    loss = DiceLoss(smooth=1e-6)(sure(prediction), mask)
    assert loss.item() == pytest.approx(sum(expected) / 4, abs=1e-6)


def test_hand_drawn_masks() -> None:
    mask = torch.tensor([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]).reshape(1, 1, 4, 4)
    prediction = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]).reshape(1, 1, 4, 4)
    loss = DiceLoss(smooth=2.0)(sure(prediction), mask)  # overlap 2 of areas 4 and 4
    assert loss.item() == pytest.approx(1 - (2 * 2 + 2) / (4 + 4 + 2))


def test_images_are_averaged_not_pooled() -> None:
    """A found large lesion must not hide a missed small one: pooled, this batch would cost 1 - 32 / 33."""
    mask = torch.zeros(2, 1, 4, 4)
    mask[0], mask[1, 0, 0, 0] = 1, 1
    prediction = mask.clone()
    prediction[1] = 0
    loss = DiceLoss(smooth=1e-6)(sure(prediction), mask)
    assert loss.item() == pytest.approx((0 + 1) / 2, abs=1e-5)


def test_empty_mask_and_empty_prediction_is_zero() -> None:
    empty = torch.zeros(1, 1, 4, 4)
    assert DiceLoss(smooth=1.0)(sure(empty), empty).item() == pytest.approx(0, abs=1e-7)


def test_empty_mask_costs_the_predicted_area_over_itself_and_smooth() -> None:
    logits = torch.zeros(1, 1, 4, 4)  # 16 pixels at probability 0.5
    assert DiceLoss(smooth=2.0)(logits, torch.zeros(1, 1, 4, 4)).item() == pytest.approx(8 / (8 + 2))


def test_gradient_is_that_of_finite_differences() -> None:
    logits = torch.tensor([[-1.0, 0.5], [1.0, 2.0]], dtype=torch.float64).reshape(1, 1, 2, 2).requires_grad_()
    mask = torch.tensor([[0, 1], [1, 0]]).reshape(1, 1, 2, 2)
    assert torch.autograd.gradcheck(lambda z: DiceLoss(smooth=1.0)(z, mask), logits, eps=1e-2, atol=1e-3)


@pytest.mark.parametrize("smooth", [0.0, -1.0, math.inf, math.nan])
def test_smoothing_out_of_range_is_refused(smooth: float) -> None:
    with pytest.raises(ValueError, match="smooth"):
        DiceLoss(smooth=smooth)
