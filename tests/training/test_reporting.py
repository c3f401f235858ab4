"""Tested images are scored beside the network, each once, whichever process had them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lesionseg.data.cache import PixelCache
from lesionseg.data.loader import LesionDataset, collate
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.metrics.definitions import standard_formulas
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.training import reporting
from lesionseg.training.module import SegmentationModule
from lesionseg.training.reporting import ScoreCollector, weights_of
from lesionseg.training.reporting import tested as facts_of

CHECKPOINT: dict[str, Any] = {
    "epoch": 11,
    "averaging_state": {},
    "lesionseg": {"config": {"monitor": "val/dice", "model": {"_target_": "UNet"}}},
}


def facts(postprocessing: Postprocessing, *, is_fitted: bool) -> dict[str, str]:
    return facts_of(
        Path("best.ckpt"),
        CHECKPOINT,
        data="Folder",
        part="test",
        images=1_600,
        split_sha256="0",
        postprocessing=postprocessing,
        is_fitted=is_fitted,
    )


def test_a_configured_decision_is_told() -> None:
    assert facts(Postprocessing(threshold=0.4), is_fitted=False)["decision"].endswith("is above 0.4")


def test_seeds_that_fitted_other_decisions_remain_one_method() -> None:
    first, second = (facts(Postprocessing(threshold=threshold), is_fitted=True) for threshold in (0.4, 0.5))
    assert first["decision"] == second["decision"] != facts(Postprocessing(threshold=0.4), is_fitted=False)["decision"]
    assert first["fitted decision"].endswith("is above 0.4")


def test_weights_and_images_are_told() -> None:
    told = facts(Postprocessing(threshold=0.4), is_fitted=False)
    assert told["weights"] == "epoch 12, the best by val/dice; averaged over training steps"
    assert (told["part"], told["chosen images"]) == ("test", "all 1,600 of the part")


def test_the_last_weights_and_an_ensembles_are_called_so() -> None:
    plain = {name: part for name, part in CHECKPOINT.items() if name != "averaging_state"}
    assert weights_of(Path("last.ckpt"), plain) == "epoch 12; not averaged"
    ensemble = CHECKPOINT | {"lesionseg": {"config": {"monitor": "val/dice", "model": {"members": [{}, {}, {}]}}}}
    assert weights_of(Path("ensemble.ckpt"), ensemble).startswith("those of 3 networks")


@pytest.fixture
def collector(evaluation_settings: EvaluationSettings) -> ScoreCollector:
    return ScoreCollector(evaluation_settings, standard_formulas())


@pytest.fixture
def dataset(synthetic: Any) -> LesionDataset:
    samples = synthetic().samples("test")
    return LesionDataset(PixelCache(samples, 40), range(len(samples)), augment=None, full_size_masks=True)


def run(
    collector: ScoreCollector, dataset: LesionDataset, *, probability: float = 0.5, mask: bool | None = None
) -> None:
    """A test whose masks are the truth, or of one number."""
    segmenter = Segmenter(torch.nn.Identity(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.5)
    module: Any = SegmentationModule(segmenter, metrics=metric_collection({"dice": Dice()}))
    trainer: Any = SimpleNamespace(test_dataloaders=SimpleNamespace(dataset=dataset))
    collector.on_test_start(trainer, module)
    for index in range(len(dataset)):
        batch = collate([dataset[index, 0]])
        target = batch["full_size_mask"][0][0].bool()
        masks = [target if mask is None else torch.full_like(target, mask)]
        outputs = {"probability": [torch.full(target.shape, probability)], "mask": masks}
        collector.on_test_batch_end(trainer, module, outputs, batch, index)
    collector.on_test_epoch_end(trainer, module)


def test_each_image_is_scored_once_and_sorted(collector: ScoreCollector, dataset: LesionDataset) -> None:
    run(collector, dataset)
    assert [image.id for image in collector.images] == sorted(sample.id for sample in dataset.cache.samples)
    assert {image.scores["jaccard"] for image in collector.images} == {1.0}
    assert collector.probabilities is not None
    assert collector.probabilities.images == len(dataset)


def test_a_second_test_starts_from_nothing(collector: ScoreCollector, dataset: LesionDataset) -> None:
    run(collector, dataset)
    run(collector, dataset)
    assert len(collector.images) == len(dataset)


@pytest.mark.parametrize("found", [False, True])
def test_the_mask_is_scored_whatever_the_probability(
    collector: ScoreCollector, dataset: LesionDataset, found: bool
) -> None:
    run(collector, dataset, probability=0.1 if found else 0.9, mask=found)
    assert {bool(image.counts.true_positives) for image in collector.images} == {found}
    assert collector.probabilities is not None
    assert collector.probabilities.curves().jaccard[50] == (0 if found else pytest.approx(_lesion_share(dataset)))


def _lesion_share(dataset: LesionDataset) -> float:
    """The Jaccard index of all being lesion."""
    return float(np.mean([sample.mask().mean() for sample in dataset.cache.samples]))


def test_other_processes_images_are_joined(
    collector: ScoreCollector, dataset: LesionDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gather(shares: list[Any], own: Any) -> None:
        images, probabilities = own
        shares[:] = [(images[:2], probabilities), (images[2:], probabilities)]

    monkeypatch.setattr(reporting.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(reporting.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(reporting.distributed, "all_gather_object", gather)
    run(collector, dataset)
    assert len(collector.images) == len(dataset)
    assert collector.probabilities is not None
    assert collector.probabilities.images == 2 * len(dataset)


def test_pictures_have_the_size_asked_for(collector: ScoreCollector, dataset: LesionDataset) -> None:
    run(collector, dataset)
    assert np.max([(image.picture.width, image.picture.height) for image in collector.images if image.picture]) == 32
