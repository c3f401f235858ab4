import pytest
import torch
from sklearn.metrics import precision_score

from lesionseg.metrics.precision import Precision

EMPTY = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
CORNER = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
ROW = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
FULL = torch.ones(1, 1, 2, 2, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        (ROW, ROW, 1.0),
        (CORNER, ROW, 1.0),
        (ROW, CORNER, 1 / 2),
        (FULL, CORNER, 1 / 4),
        (EMPTY, EMPTY, 1.0),
        (EMPTY, ROW, 0.0),  # isic-challenge-scoring gives 1 here: missing every lesion must not pay
        (ROW, EMPTY, 0.0),
        (FULL, FULL, 1.0),
    ],
)
def test_hand_drawn_masks(prediction: torch.Tensor, target: torch.Tensor, expected: float) -> None:
    metric = Precision()
    metric.update(prediction, target)
    assert metric.compute().item() == pytest.approx(expected)


def test_each_image_has_the_score_of_scikit_learn_and_the_mean_is_theirs() -> None:
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.rand(2, 6, 1, 9, 7, generator=generator) < 0.4
    metric = Precision()
    metric.update(prediction, target)
    expected = [precision_score(g, p) for p, g in zip(prediction.flatten(1), target.flatten(1), strict=True)]
    assert metric.per_image().tolist() == pytest.approx(expected)
    assert metric.compute().item() == pytest.approx(sum(expected) / 6)
