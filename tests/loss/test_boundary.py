import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from lesionseg.loss.boundary import BoundaryLoss, signed_distance


def circle(size: int, *, radius: float = 0.25) -> torch.Tensor:
    """A round lesion in the middle of a square image; radius as a part of the image's side."""
    centre = torch.arange(size) - (size - 1) / 2
    return (centre[:, None] ** 2 + centre[None] ** 2 < (radius * size) ** 2)[None, None]


def blobs() -> NDArray[np.bool_]:
    return np.random.default_rng(0).random((31, 47)) < 0.1


def test_distances_are_those_of_scipy() -> None:
    lesion = blobs()
    expected = np.where(lesion, 0.5 - distance_transform_edt(lesion), distance_transform_edt(~lesion) - 0.5)
    np.testing.assert_allclose(signed_distance(lesion), expected, atol=1e-5)


def test_distances_of_a_hand_drawn_lesion() -> None:
    lesion = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], bool)
    diagonal, knight, far = math.sqrt(2) - 0.5, math.sqrt(5) - 0.5, math.sqrt(8) - 0.5
    expected = [
        [diagonal, 0.5, diagonal, knight],
        [0.5, -0.5, 0.5, 1.5],
        [diagonal, 0.5, diagonal, knight],
        [knight, 1.5, knight, far],
    ]
    np.testing.assert_allclose(signed_distance(lesion), expected, atol=1e-5)


def test_distances_of_the_inverted_mask_are_negative() -> None:
    np.testing.assert_allclose(signed_distance(~blobs()), -signed_distance(blobs()))


@pytest.mark.parametrize("value", [0, 1], ids=["empty mask", "full mask"])
def test_without_a_contour_it_is_zero_with_zero_gradient(value: int) -> None:
    logits = torch.randn(1, 1, 4, 4).requires_grad_()
    loss = BoundaryLoss()(logits, torch.full((1, 1, 4, 4), value))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_gradient_is_the_distance_times_the_slope_of_the_probability() -> None:
    """Kervadec's boundary loss is linear in the probability with the distance as its coefficient."""
    mask = circle(16)
    logits = torch.randn(mask.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    BoundaryLoss()(logits, mask).backward()
    probability = logits.detach().sigmoid()
    distance = torch.from_numpy(signed_distance(mask[0, 0].numpy())) / (16 * math.sqrt(2))
    torch.testing.assert_close(logits.grad, distance * probability * (1 - probability) / mask.numel())


def test_a_perfect_prediction_is_zero_and_any_other_costs_something() -> None:
    mask = circle(16)
    assert BoundaryLoss()(mask * 200.0 - 100, mask).item() == 0
    for row, column in [(0, 0), (8, 8), (3, 8)]:
        wrong = mask.clone()
        wrong[..., row, column] ^= True
        assert BoundaryLoss()(wrong * 200.0 - 100, mask).item() > 0


def test_a_false_alarm_costs_more_the_farther_from_the_lesion() -> None:
    mask = circle(32)
    near, far = mask.clone(), mask.clone()
    near[..., 16, 7], far[..., 0, 0] = True, True
    assert BoundaryLoss()(far * 200.0 - 100, mask) > 10 * BoundaryLoss()(near * 200.0 - 100, mask)


@pytest.mark.parametrize("size", [64, 256])
def test_the_same_picture_costs_the_same_at_every_resolution(size: int) -> None:
    """The values that the docstring promises."""
    mask = circle(size)
    assert BoundaryLoss()(torch.zeros(mask.shape), mask).item() == pytest.approx(0.058, rel=0.02)
    assert BoundaryLoss()(torch.full(mask.shape, -100.0), mask).item() == pytest.approx(0.0115, rel=0.05)
    larger = circle(size, radius=0.3) * 200.0 - 100
    assert BoundaryLoss()(larger, mask).item() == pytest.approx(0.0015, rel=0.1)


def test_images_are_averaged() -> None:
    mask = torch.cat([circle(16), circle(16, radius=0.4)])
    logits = torch.zeros(mask.shape)
    alone = [BoundaryLoss()(logits[:1], mask[:1]), BoundaryLoss()(logits[1:], mask[1:])]
    torch.testing.assert_close(BoundaryLoss()(logits, mask), torch.stack(alone).mean())
