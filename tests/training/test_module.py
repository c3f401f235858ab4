"""The test step: each mask at its ground truth's own size, by the whole decision."""

import io
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import MeanMetric

from lesionseg.metrics.dice import Dice, PooledDice
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.model.segmenter import Segmenter
from lesionseg.training.module import SegmentationModule, epoch_so_far, restore_epoch_so_far
from lesionseg.training.schedulers import plateau


class Red(nn.Module):
    """Gives the red channel as logits."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1]


def outcome_of(image: Tensor, target: Tensor, **settings: Any) -> tuple[dict[str, Any], SegmentationModule]:
    segmenter = Segmenter(Red(), **({"mean": [128.0] * 3, "std": [32.0] * 3, "threshold": 0.5} | settings)).eval()
    module = SegmentationModule(segmenter, metrics=metric_collection({"jaccard": Jaccard()}))
    batch: Any = {"image": image, "mask": target[None], "id": ["a"], "full_size_mask": [target]}
    return module.test_step(batch, 0), module


def noise(side: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, side, side), dtype=np.uint8))


def test_regions_change_the_mask_and_its_score_but_not_the_probability() -> None:
    image, target = noise(20), torch.ones(1, 45, 37, dtype=torch.uint8)
    plain, _ = outcome_of(image, target)
    found, module = outcome_of(image, target, largest_component=True, fill_holes=True)
    probability = functional.interpolate(torch.sigmoid((image[:, :1].float() - 128) / 32), (45, 37), mode="bilinear")
    (mask,) = found["mask"]
    torch.testing.assert_close(found["probability"][0], probability[0, 0])
    assert torch.equal(plain["mask"][0], found["probability"][0] > 0.5)
    assert ndimage.label(plain["mask"][0])[1] > 1
    assert ndimage.label(mask)[1] == 1
    assert module.metrics_of("test").compute()["jaccard"] == pytest.approx(float(mask.float().mean()))


@pytest.mark.parametrize(("red", "found"), [(128, False), (129, True)])
def test_a_probability_of_exactly_the_threshold_is_skin(red: int, found: bool) -> None:
    image = torch.full((1, 3, 8, 8), red, dtype=torch.uint8)
    outputs, _ = outcome_of(image, torch.ones(1, 8, 8, dtype=torch.uint8))
    assert outputs["mask"][0].unique().tolist() == [found]


class Weighted(Red):
    """Has a weight to train."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


@pytest.mark.parametrize("every", [1, 3])
def test_a_schedule_that_watches_a_value_moves_when_it_is_measured(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    settings: Any = {"monitor": "val/dice", "mode": "max", "factor": 0.5, "patience": 1, "warmup_epochs": 1}
    module = SegmentationModule(
        Segmenter(Weighted(), mean=[128.0] * 3, std=[32.0] * 3, threshold=0.5),
        metrics=metric_collection({"jaccard": Jaccard()}),
        optimizer=partial(torch.optim.SGD, lr=1.0),
        scheduler=partial(plateau, **settings),
    )
    monkeypatch.setattr(Trainer, "estimated_stepping_batches", 10)
    trainer = Trainer(
        max_epochs=5, check_val_every_n_epoch=every, accelerator="cpu", logger=False, enable_checkpointing=False
    )
    module.trainer = trainer
    _, (lowering, warmup) = module.configure_optimizers()
    assert (lowering["frequency"], warmup.get("frequency", 1)) == (every, 1)


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
