import math

import pytest
import torch
from sklearn.metrics import log_loss

from lesionseg.loss.bce import BCELoss


def test_equals_the_log_loss_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 5, 7, generator=generator)
    mask = (torch.rand(3, 1, 5, 7, generator=generator) < 0.3).byte()
    expected = log_loss(mask.flatten().numpy(), logits.double().sigmoid().flatten().numpy())
    assert BCELoss(positive_weight=1.0)(logits, mask).item() == pytest.approx(expected, rel=1e-6)


def test_positive_weight_multiplies_the_lesion_pixels_alone() -> None:
    mask = torch.tensor([[1, 0], [0, 0]]).reshape(1, 1, 2, 2)
    loss = BCELoss(positive_weight=3.0)(torch.zeros(1, 1, 2, 2), mask)  # every pixel costs log 2, the lesion thrice
    assert loss.item() == pytest.approx((3 + 1 + 1 + 1) / 4 * math.log(2))


def test_gradient_is_probability_minus_target_over_pixels() -> None:
    logits = torch.tensor([[-2.0, 0.0], [1.0, 3.0]]).reshape(1, 1, 2, 2).requires_grad_()
    mask = torch.tensor([[0, 1], [1, 0]]).reshape(1, 1, 2, 2)
    BCELoss(positive_weight=1.0)(logits, mask).backward()
    torch.testing.assert_close(logits.grad, (logits.detach().sigmoid() - mask) / 4)


def test_confidently_wrong_costs_the_logit_not_infinity() -> None:
    logits = torch.full((1, 1, 4, 4), 100.0)
    assert BCELoss(positive_weight=1.0)(logits, torch.zeros(1, 1, 4, 4)).item() == pytest.approx(100.0)


def test_empty_mask_and_empty_prediction_is_zero() -> None:
    logits = torch.full((1, 1, 4, 4), -100.0)
    assert BCELoss(positive_weight=1.0)(logits, torch.zeros(1, 1, 4, 4)).item() == 0.0


def test_the_weight_is_not_stored_in_checkpoints() -> None:
    assert BCELoss(positive_weight=2.0).state_dict() == {}


@pytest.mark.parametrize("positive_weight", [0.0, -1.0, math.inf, math.nan])
def test_a_weight_out_of_range_is_refused(positive_weight: float) -> None:
    with pytest.raises(ValueError, match="positive_weight"):
        BCELoss(positive_weight=positive_weight)
