import itertools

import pytest
import torch
from sklearn.metrics import jaccard_score

from lesionseg.loss.lovasz import LovaszLoss, jaccard_steps


def jaccard_lost(wrong: set[int], mask: list[int]) -> float:
    """One minus the Jaccard index when exactly the pixels in `wrong` are wrong, by the definition of the index."""
    truth = {i for i, g in enumerate(mask) if g}
    prediction = truth ^ wrong
    return 1 - len(truth & prediction) / len(truth | prediction) if truth | prediction else 0.0


def brute_force(logits: list[float], mask: list[int]) -> float:
    """Integrate the Jaccard lost by the pixels above each level of hinge error: the Lovász extension's definition.

    f(m) = integral from 0 of f({i: m_i >= t}) dt (Bach 2013, definition 3.1), which needs no sorting of gradients.
    """
    errors = [1 - z * (2 * g - 1) for z, g in zip(logits, mask, strict=True)]
    levels = sorted({0.0, *(m for m in errors if m > 0)})
    return sum(
        (high - low) * jaccard_lost({i for i, m in enumerate(errors) if m >= high}, mask)
        for low, high in itertools.pairwise(levels)
    )


@pytest.mark.parametrize("mask", list(itertools.product([0, 1], repeat=4)), ids=str)
def test_equals_the_integral_that_defines_it_for_every_mask_of_four_pixels(mask: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(sum(mask))
    for _ in range(3):
        logits = 2 * torch.randn(4, generator=generator)
        loss = LovaszLoss()(logits.reshape(1, 1, 2, 2), torch.tensor(mask).reshape(1, 1, 2, 2))
        assert loss.item() == pytest.approx(brute_force(logits.tolist(), list(mask)), abs=1e-6)


def test_where_hinge_errors_are_zero_or_one_it_is_the_jaccard_index_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(1, 1, 9, 9, generator=generator) < 0.4
    mask = torch.rand(1, 1, 9, 9, generator=generator) < 0.4
    sign = mask.float() * 2 - 1
    logits = torch.where(prediction == mask, sign, 0)  # right by the margin, or on the fence
    expected = 1 - jaccard_score(mask.flatten(), prediction.flatten())
    assert LovaszLoss()(logits, mask).item() == pytest.approx(expected, abs=1e-6)


def test_images_are_averaged_not_pooled() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, mask = torch.randn(3, 1, 4, 4, generator=generator), torch.rand(3, 1, 4, 4, generator=generator) < 0.5
    alone = [LovaszLoss()(z[None], g[None]) for z, g in zip(logits, mask, strict=True)]
    torch.testing.assert_close(LovaszLoss()(logits, mask), torch.stack(alone).mean())


def test_empty_mask_costs_the_hinge_of_the_worst_pixel() -> None:
    empty = torch.zeros(1, 1, 2, 2)
    assert LovaszLoss()(torch.tensor([[-3.0, 0.5], [-1.0, 0.0]]).reshape(1, 1, 2, 2), empty).item() == 1.5
    assert LovaszLoss()(torch.full((1, 1, 2, 2), -1.0), empty).item() == 0.0


def test_full_mask_costs_the_mean_hinge() -> None:
    logits = torch.tensor([[-3.0, 0.5], [2.0, 0.0]]).reshape(1, 1, 2, 2)  # hinge errors 4, 0.5, 0, 1
    assert LovaszLoss()(logits, torch.ones(1, 1, 2, 2)).item() == pytest.approx(5.5 / 4)


def test_equal_errors_give_the_same_value_in_any_order() -> None:
    mask = torch.tensor([[1, 0, 0, 1]]).reshape(1, 1, 1, 4)
    logits = torch.tensor([0.0, 0.0, 0.0, 5.0]).reshape(1, 1, 1, 4)
    values = [LovaszLoss()(logits[..., list(o)], mask[..., list(o)]).item() for o in itertools.permutations(range(4))]
    assert values == pytest.approx([values[0]] * len(values), abs=1e-6)


def test_steps_of_a_row_add_up_to_one() -> None:
    target = (torch.rand(4, 1000, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    target[0], target[1] = 0, 1
    steps = jaccard_steps(target)
    assert (steps >= 0).all()
    torch.testing.assert_close(steps.sum(1), torch.ones(4))


def test_gradient_is_that_of_finite_differences() -> None:
    logits = torch.tensor([[-1.0, 0.5], [0.75, 2.0]], dtype=torch.float64).reshape(1, 1, 2, 2).requires_grad_()
    mask = torch.tensor([[0, 1], [1, 0]]).reshape(1, 1, 2, 2)
    assert torch.autograd.gradcheck(lambda z: LovaszLoss()(z, mask), logits, eps=1e-2, atol=1e-3)
