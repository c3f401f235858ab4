import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from lesionseg.loss.focal import FocalLoss


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 1, 5, 7, generator=generator)
    return logits, (torch.rand(2, 1, 5, 7, generator=generator) < 0.3).byte()


def test_without_focus_it_is_half_the_cross_entropy() -> None:
    logits, mask = pair()
    expected = binary_cross_entropy_with_logits(logits, mask.float()) / 2
    torch.testing.assert_close(FocalLoss(alpha=0.5, gamma=0.0)(logits, mask), expected)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.7, 0.5), (1.0, 3.0)])
def test_equals_equation_5_of_the_paper(alpha: float, gamma: float) -> None:
    logits, mask = pair()
    values = []
    for z, g in zip(logits.flatten().tolist(), mask.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-z))
        p_t, alpha_t = (p, alpha) if g else (1 - p, 1 - alpha)
        values.append(-alpha_t * (1 - p_t) ** gamma * math.log(p_t))
    loss = FocalLoss(alpha=alpha, gamma=gamma)(logits, mask)
    assert loss.item() == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_a_pixel_at_nine_tenths_weighs_a_hundredth() -> None:
    """The paper's own example in section 3.2: with gamma = 2 and p_t = 0.9 the loss is 100 times lower."""
    logits, mask = torch.full((1, 1, 1, 1), math.log(9)), torch.ones(1, 1, 1, 1)
    ratio = FocalLoss(alpha=0.5, gamma=0.0)(logits, mask) / FocalLoss(alpha=0.5, gamma=2.0)(logits, mask)
    assert ratio.item() == pytest.approx(100, rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_gradient_is_finite_where_the_power_has_an_infinite_slope(gamma: float) -> None:
    logits = torch.tensor([100.0, -100.0]).reshape(1, 1, 1, 2).requires_grad_()
    FocalLoss(alpha=0.5, gamma=gamma)(logits, torch.tensor([1, 0]).reshape(1, 1, 1, 2)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_empty_mask_and_empty_prediction_is_zero() -> None:
    assert FocalLoss(alpha=0.25, gamma=2.0)(torch.full((1, 1, 4, 4), -100.0), torch.zeros(1, 1, 4, 4)).item() == 0.0


@pytest.mark.parametrize(
    ("alpha", "gamma", "culprit"),
    [
        (-0.1, 2.0, "alpha"),
        (1.1, 2.0, "alpha"),
        (math.nan, 2.0, "alpha"),
        (0.5, -1.0, "gamma"),
        (0.5, math.inf, "gamma"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(alpha: float, gamma: float, culprit: str) -> None:
    with pytest.raises(ValueError, match=f"got {culprit}"):
        FocalLoss(alpha=alpha, gamma=gamma)
