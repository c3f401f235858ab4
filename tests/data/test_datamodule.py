"""The data module: the right part, order, augmentation and masks for each phase, whoever computes the batches."""

from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from torch.utils.data import RandomSampler, SequentialSampler

import lesionseg.data.datamodule
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.dataset import Batch
from lesionseg.data.synthetic import Synthetic
from lesionseg.errors import InputError


def invert(image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An augmentation that any test can see."""
    return 255 - image, 1 - mask


def data_module(**changes: Any) -> LesionDataModule:
    counts = {name: changes.pop(name, default) for name, default in (("train", 10), ("validation", 3), ("test", 5))}
    source = Synthetic(cache=changes.pop("cache", "memory"), seed=0, size=changes.pop("size", 40), **counts)
    options: dict[str, Any] = {
        "image_size": 32,
        "batch_size": 4,
        "num_workers": 0,
        "seed": 0,
        "augment": None,
    }
    return LesionDataModule(source, **(options | changes))


def training_batches(data: LesionDataModule, epoch: int = 0) -> list[Batch]:
    data.setup("fit")
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def ids(batches: list[Batch]) -> list[str]:
    return [name for batch in batches for name in batch["id"]]


def assert_same(some: list[Batch], others: list[Batch]) -> None:
    assert ids(some) == ids(others)
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["mask"], other["mask"])


@pytest.fixture
def augment(compose) -> Any:  # type: ignore[no-untyped-def]
    """The default augmentation with every step on."""
    node = compose([]).augmentation
    for step in node.steps.values():
        step.p = 1.0
    return instantiate(node)


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("phase", ["train", "val", "test"])
def test_batches_keep_the_contract(cache: str, phase: str) -> None:
    data = data_module(cache=cache)
    data.setup("test" if phase == "test" else "fit")
    batch = next(iter(getattr(data, f"{phase}_dataloader")()))
    size = len(batch["id"])
    assert batch["image"].shape == (size, 3, 32, 32)
    assert batch["mask"].shape == (size, 1, 32, 32)
    assert batch["image"].dtype == batch["mask"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["mask"].unique().tolist() == [0, 1]
    assert all(name.startswith({"val": "validation"}.get(phase, phase)) for name in batch["id"])
    assert ("full_size_mask" in batch) == (phase == "test")


def test_the_test_loader_gives_every_truth_at_its_own_size() -> None:
    data = data_module(size=40, test=5)
    data.setup("test")
    batches = list(data.test_dataloader())
    truths = {sample.id: sample.mask() for sample in data.source.samples("test")}
    assert sorted(ids(batches)) == sorted(truths)
    for batch in batches:
        for name, mask in zip(batch["id"], batch["full_size_mask"], strict=True):
            assert mask.shape == (1, 40, 40)
            assert np.array_equal(mask[0], truths[name])


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_bit_identical_for_any_number_of_workers(augment: Any, workers: int) -> None:
    alone = training_batches(data_module(augment=augment, num_workers=0))
    assert_same(training_batches(data_module(augment=augment, num_workers=workers)), alone)


def test_batches_do_not_depend_on_global_random_states(augment: Any) -> None:
    first = training_batches(data_module(augment=augment))
    torch.manual_seed(5)
    np.random.seed(5)
    assert_same(training_batches(data_module(augment=augment)), first)


def test_another_epoch_is_ordered_and_augmented_otherwise_and_can_be_repeated(augment: Any) -> None:
    data = data_module(augment=augment, batch_size=1)
    first, second = training_batches(data, epoch=0), training_batches(data, epoch=1)
    assert ids(first) != ids(second)
    before = {batch["id"][0]: batch["image"] for batch in first}
    assert not any(torch.equal(before[batch["id"][0]], batch["image"]) for batch in second)
    assert_same(training_batches(data, epoch=1), second)


def test_another_seed_orders_otherwise() -> None:
    assert ids(training_batches(data_module(seed=1))) != ids(training_batches(data_module(seed=2)))


def test_only_training_images_are_augmented() -> None:
    plain, inverted = data_module(), data_module(augment=invert)
    for data in (plain, inverted):
        data.setup("fit")
        data.setup("test")
    for loader in ("val_dataloader", "test_dataloader"):
        assert_same(list(getattr(plain, loader)()), list(getattr(inverted, loader)()))
    for one, other in zip(plain.train_dataloader(), inverted.train_dataloader(), strict=True):
        assert torch.equal(255 - one["image"], other["image"])
        assert torch.equal(1 - one["mask"], other["mask"])


def test_a_last_smaller_batch_is_dropped_in_training_only() -> None:
    data = data_module(train=10, validation=10, test=10)
    data.setup("fit")
    data.setup("test")
    assert [len(batch["id"]) for batch in data.train_dataloader()] == [4, 4]
    assert [len(batch["id"]) for batch in data.val_dataloader()] == [4, 4, 2]
    assert [len(batch["id"]) for batch in data.test_dataloader()] == [4, 4, 2]


def test_a_batch_larger_than_the_part_still_trains() -> None:
    assert [len(batch["id"]) for batch in training_batches(data_module(train=3, batch_size=64))] == [3]


def test_validation_and_test_come_in_the_order_of_their_ids() -> None:
    data = data_module(validation=6)
    data.setup("fit")
    data.setup("test")
    assert ids(list(data.val_dataloader())) == [f"validation_{number:04d}" for number in range(6)]
    assert ids(list(data.test_dataloader())) == [f"test_{number:04d}" for number in range(5)]


def test_without_a_test_part_there_is_no_test_and_no_other_part_takes_its_place() -> None:
    data = data_module(test=0)
    assert not data.has_test
    with pytest.raises(InputError, match="no test image; allowed parts: train, validation, test, all"):
        data.setup("test")
    with pytest.raises(KeyError):
        data.test_dataloader()


def test_with_a_test_part_there_is_a_test() -> None:
    assert data_module(test=1).has_test


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_evaluation_may_score_another_part(part: str) -> None:
    data = data_module(test_part=part, augment=invert)
    data.setup("test")
    batches = list(data.test_dataloader())
    assert ids(batches) == [sample.id for sample in data.source.samples(part)]  # type: ignore[arg-type]
    assert "full_size_mask" in batches[0]
    assert_same(batches[:1], [next(iter(_plain(part).test_dataloader()))])


def _plain(part: str) -> LesionDataModule:
    data = data_module(test_part=part)
    data.setup("test")
    return data


def test_all_parts_may_be_scored_together() -> None:
    data = data_module(test_part="all")
    data.setup("test")
    names = ids(list(data.test_dataloader()))
    assert len(names) == 18
    assert names == sorted(names)


def test_parts_are_read_once_however_often_setup_is_called() -> None:
    data = data_module()
    data.setup("fit")
    before = data.dataset("train")
    data.setup("fit")
    data.setup("validate")
    assert data.dataset("train") is before


def test_the_split_is_written_down() -> None:
    parts = data_module(train=2, validation=1, test=0).split["parts"]
    assert parts == {"train": ["train_0000", "train_0001"], "validation": ["validation_0000"], "test": []}


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (4, 3), (9, 8), (64, 8)])
def test_workers_left_open_are_one_core_less_than_there_are(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(lesionseg.data.datamodule, "usable_cores", lambda: cores)
    assert data_module(num_workers=None).num_workers == workers


@pytest.mark.parametrize(("cache", "train", "validation"), [("memory", 2, 0), ("none", 2, 2)])
def test_workers_start_only_where_they_pay(cache: str, train: int, validation: int) -> None:
    data = data_module(cache=cache, num_workers=2, augment=invert)
    data.setup("fit")
    assert data.train_dataloader().num_workers == train
    assert data.val_dataloader().num_workers == validation


def test_lightning_need_not_replace_the_sampler() -> None:
    """It would replace torch's own samplers, and batches would no longer depend on (seed, epoch) alone."""
    data = data_module()
    data.setup("fit")
    assert not isinstance(data.train_dataloader().sampler, RandomSampler | SequentialSampler)
