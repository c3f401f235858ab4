"""Metrics that are stored in mid-epoch and restored go on as if nothing had been."""

import io

import torch
from torch import nn
from torchmetrics import MeanMetric

from lesionseg.metrics.dice import Dice, PooledDice
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.training.epoch_so_far import epoch_so_far, restore_epoch_so_far


def holder() -> nn.Module:
    module = nn.Module()
    module.masks = metric_collection({"dice": Dice(), "jaccard": Jaccard(), "pooled": PooledDice()})
    module.loss = MeanMetric()
    return module


def seen(module: nn.Module, *seeds: int) -> nn.Module:
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        prediction, target = (torch.rand(3, 1, 8, 8, generator=generator) > 0.5 for _ in range(2))
        module.masks.update(prediction, target)  # type: ignore[operator, union-attr]
        module.loss.update(torch.rand((), generator=generator), weight=3)  # type: ignore[operator, union-attr]
    return module


def results(module: nn.Module) -> dict[str, torch.Tensor]:
    return {**module.masks.compute(), "loss": module.loss.compute()}  # type: ignore[operator, union-attr]


def stored(module: nn.Module) -> dict[str, dict[str, torch.Tensor | list[torch.Tensor]]]:
    file = io.BytesIO()
    torch.save(epoch_so_far(module), file)
    file.seek(0)
    loaded: dict[str, dict[str, torch.Tensor | list[torch.Tensor]]] = torch.load(file, weights_only=True)
    return loaded


def test_a_restored_epoch_ends_bit_for_bit_alike() -> None:
    whole = results(seen(holder(), 1, 2, 3, 4))
    resumed = holder()
    restore_epoch_so_far(resumed, stored(seen(holder(), 1, 2)))
    assert results(seen(resumed, 3, 4)) == whole


def test_it_may_be_stored_again_before_anything_is_seen() -> None:
    resumed = holder()
    restore_epoch_so_far(resumed, stored(seen(holder(), 1)))
    again = holder()
    restore_epoch_so_far(again, stored(resumed))
    assert results(again) == results(seen(holder(), 1))


def test_of_metrics_that_have_seen_nothing_nothing_is_stored() -> None:
    assert epoch_so_far(holder()) == {}


def test_metrics_that_are_no_longer_there_are_passed_over() -> None:
    smaller = nn.Module()
    smaller.loss = MeanMetric()
    restore_epoch_so_far(smaller, stored(seen(holder(), 1)))
    assert smaller.loss.compute() == results(seen(holder(), 1))["loss"]
