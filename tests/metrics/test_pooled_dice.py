import pytest
import torch
from sklearn.metrics import f1_score

from lesionseg.metrics.dice import Dice
from lesionseg.metrics.pooled_dice import PooledDice


def test_it_is_the_score_of_scikit_learn_on_all_pixels_as_one_image() -> None:
    generator = torch.Generator().manual_seed(0)
    pairs = [torch.rand(2, 2, 1, size, 7, generator=generator) < 0.4 for size in (3, 9, 20)]
    metric = PooledDice()
    for prediction, target in pairs:
        metric.update(prediction, target)
    prediction, target = (torch.cat([pair[i].flatten() for pair in pairs]) for i in range(2))
    assert metric.compute().item() == pytest.approx(f1_score(target, prediction))


def test_one_image_alone_has_its_own_score() -> None:
    prediction, target = torch.rand(2, 1, 1, 9, 7, generator=torch.Generator().manual_seed(0)) < 0.4
    pooled, own = PooledDice(), Dice()
    pooled.update(prediction, target)
    own.update(prediction, target)
    torch.testing.assert_close(pooled.compute(), own.compute())
    torch.testing.assert_close(pooled.per_image(), own.per_image())


def test_an_image_of_nothing_changes_nothing() -> None:
    """Per image it would score 1 and lift the mean."""
    metric = PooledDice()
    metric.update(torch.tensor([[1, 0]]).bool()[None, None], torch.tensor([[1, 1]]).bool()[None, None])
    before = metric.compute().item()
    metric.update(torch.zeros(1, 1, 50, 50).bool(), torch.zeros(1, 1, 50, 50).bool())
    assert metric.compute().item() == before < 1


def test_all_empty_is_one() -> None:
    metric = PooledDice()
    metric.update(torch.zeros(3, 1, 2, 2).bool(), torch.zeros(3, 1, 2, 2).bool())
    assert metric.compute().item() == 1.0
