"""The data module: the right part, order, augmentation and masks for each phase, whoever computes the batches."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.loader import Batch
from lesionseg.data.source import Source
from lesionseg.errors import InputError


def invert(image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An augmentation that any test can see."""
    return 255 - image, 1 - mask


def data_module(source: Source, **changes: Any) -> LesionDataModule:
    options: dict[str, Any] = {"image_size": 32, "batch_size": 4, "num_workers": 0, "seed": 0, "augment": None}
    return LesionDataModule(source, **(options | changes))


def training_batches(data: LesionDataModule, epoch: int = 0) -> list[Batch]:
    data.setup("fit")
    loader: Any = data.train_dataloader()
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
def augment(compose: Any) -> Any:
    """The default augmentation with every step on."""
    node = compose([]).augmentation
    for step in node.steps.values():
        step.p = 1.0
    return instantiate(node)


@pytest.fixture
def root(tmp_path: Path, draw_pairs: Any) -> Path:
    """Twenty pictures to be cut."""
    return draw_pairs(tmp_path / "data", {f"{number:02d}": number for number in range(20)}, size=48)


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("phase", ["train", "val", "test"])
def test_batches_keep_the_contract(synthetic: Any, cache: str, phase: str) -> None:
    data = data_module(synthetic(cache=cache))
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


def test_the_test_loader_gives_every_truth_at_its_own_size(synthetic: Any) -> None:
    source = synthetic(size=40, test=5)
    data = data_module(source)
    data.setup("test")
    batches: list[Any] = list(data.test_dataloader())
    truths = {sample.id: sample.mask() for sample in source.samples("test")}
    assert sorted(ids(batches)) == sorted(truths)
    for batch in batches:
        for name, mask in zip(batch["id"], batch["full_size_mask"], strict=True):
            assert mask.shape == (1, 40, 40)
            assert np.array_equal(mask[0], truths[name])


def test_batches_are_bit_identical_for_any_number_of_workers_and_every_cache(
    folder_source: Any, root: Path, augment: Any
) -> None:
    first = training_batches(data_module(folder_source(root, cache="none"), augment=augment))
    for cache, workers in (("memory", 0), ("none", 1), ("disk", 3)):
        data = data_module(folder_source(root, cache=cache), augment=augment, num_workers=workers)
        assert_same(training_batches(data), first)


def test_batches_do_not_depend_on_global_random_states(synthetic: Any, augment: Any) -> None:
    first = training_batches(data_module(synthetic(), augment=augment))
    torch.manual_seed(5)
    np.random.seed(5)
    assert_same(training_batches(data_module(synthetic(), augment=augment)), first)


def test_another_epoch_is_ordered_and_augmented_otherwise_and_can_be_repeated(synthetic: Any, augment: Any) -> None:
    data = data_module(synthetic(), augment=augment, batch_size=1)
    first, second = training_batches(data, epoch=0), training_batches(data, epoch=1)
    assert ids(first) != ids(second)
    before = {batch["id"][0]: batch["image"] for batch in first}
    assert not any(torch.equal(before[batch["id"][0]], batch["image"]) for batch in second)
    assert_same(training_batches(data, epoch=1), second)


def test_another_seed_orders_otherwise(synthetic: Any) -> None:
    first, second = (ids(training_batches(data_module(synthetic(), seed=seed))) for seed in (1, 2))
    assert first != second


def test_only_training_images_are_augmented(synthetic: Any) -> None:
    plain, inverted = data_module(synthetic()), data_module(synthetic(), augment=invert)
    for data in (plain, inverted):
        data.setup("fit")
        data.setup("test")
    for loader in ("val_dataloader", "test_dataloader"):
        assert_same(list(getattr(plain, loader)()), list(getattr(inverted, loader)()))
    batches: Iterator[Any] = zip(plain.train_dataloader(), inverted.train_dataloader(), strict=True)
    for one, other in batches:
        assert torch.equal(255 - one["image"], other["image"])
        assert torch.equal(1 - one["mask"], other["mask"])


def test_validation_and_test_come_in_the_order_of_their_ids(synthetic: Any) -> None:
    data = data_module(synthetic(validation=6))
    data.setup("fit")
    data.setup("test")
    validation: list[Any] = list(data.val_dataloader())
    test: list[Any] = list(data.test_dataloader())
    assert ids(validation) == [f"validation_{number:04d}" for number in range(6)]
    assert ids(test) == [f"test_{number:04d}" for number in range(5)]


def test_without_a_test_part_there_is_no_test_and_no_other_part_takes_its_place(synthetic: Any) -> None:
    data = data_module(synthetic(test=0))
    assert not data.has_test
    with pytest.raises(InputError, match=r"no test image; the split is .*official"):
        data.setup("test")
    with pytest.raises(KeyError):
        data.test_dataloader()


def test_with_a_test_part_there_is_a_test(synthetic: Any) -> None:
    assert data_module(synthetic(test=1)).has_test


def test_parts_are_read_once_however_often_setup_is_called(synthetic: Any) -> None:
    data = data_module(synthetic())
    data.setup("fit")
    before = data.dataset("train")
    data.setup("fit")
    data.setup("validate")
    assert data.dataset("train") is before


def test_a_stage_reads_what_it_needs(synthetic: Any) -> None:
    data = data_module(synthetic())
    data.setup("validate")
    assert len(data.dataset("validation")) == 3
    with pytest.raises(KeyError):
        data.dataset("train")


def test_the_split_is_written_down(synthetic: Any) -> None:
    split = data_module(synthetic(train=2, validation=1, test=0)).split
    assert split["parts"] == {"train": ["train_0000", "train_0001"], "validation": ["validation_0000"], "test": []}
    assert split["how"]["known_leaks"] == []


def test_the_files_of_the_split_are_written_down_as_sha256sum_prints_them(folder_source: Any, root: Path) -> None:
    split = data_module(folder_source(root, test_share=0.2, cache="memory")).split
    assert sorted(split["files"]) == sorted(chain(*split["parts"].values()))
    expected = [hashlib.sha256((root / kind / "07.png").read_bytes()).hexdigest()[:16] for kind in ("images", "masks")]
    assert split["files"]["07"] == " ".join(expected)


def test_training_by_a_manifest_of_other_files_is_refused(folder_source: Any, root: Path, tmp_path: Path) -> None:
    split = data_module(folder_source(root, test_share=0.2, cache="memory")).split
    (tmp_path / "split.json").write_text(json.dumps(split))
    source = folder_source(root, split=str(tmp_path / "split.json"), cache="memory")
    assert data_module(source).split["files"] == split["files"]
    test, train = split["parts"]["test"][0], split["parts"]["train"][0]
    for kind in ("images", "masks"):
        shutil.copy2(root / kind / f"{train}.png", root / kind / f"{test}.png")
    with pytest.raises(InputError, match=rf"1 of 20 images are other files than data\.split=.*\n  - {test} \("):
        data_module(source)


def test_loaders_have_the_images_of_the_split(folder_source: Any, root: Path) -> None:
    data = data_module(folder_source(root, test_share=0.2, validation_share=0.2))
    data.setup("fit")
    data.setup("test")
    loaders = {"train": data.train_dataloader(), "validation": data.val_dataloader(), "test": data.test_dataloader()}
    loaded = {part: sorted(chain(*(batch["id"] for batch in batches))) for part, batches in loaders.items()}  # type: ignore[call-overload]
    assert loaded == data.split["parts"]
    assert [len(loaded[part]) for part in ("train", "validation", "test")] == [12, 4, 4]


def test_five_folds_validate_every_image_once_and_never_test_on_them(folder_source: Any, root: Path) -> None:
    validated, tests = [], set()
    for fold in range(5):
        data = data_module(folder_source(root, fold=fold, folds=5, test_share=0.25))
        data.setup("fit")
        batches: list[Any] = list(data.val_dataloader())
        trained = set(data.split["parts"]["train"])
        assert not trained & set(ids(batches))
        validated += ids(batches)
        tests.add(tuple(data.split["parts"]["test"]))
    (test,) = tests
    assert len(test) == 5
    assert sorted([*validated, *test]) == [f"{number:02d}" for number in range(20)]


def test_each_process_gets_its_own_share(synthetic: Any) -> None:
    data = data_module(synthetic(train=10, validation=5), batch_size=1)
    data.setup("fit")
    training, validation = [], []
    for rank in range(2):
        data.trainer = SimpleNamespace(global_rank=rank, world_size=2)  # type: ignore[assignment]
        batches: list[Any] = list(data.train_dataloader())
        training.append(ids(batches))
        validation += [batch["id"][0] for batch in data.val_dataloader()]  # type: ignore[call-overload]
    assert [len(shard) for shard in training] == [5, 5]
    assert not set(training[0]) & set(training[1])
    assert sorted(validation) == [f"validation_{number:04d}" for number in range(5)]


def test_lightning_is_told_to_leave_the_sharing_out_to_the_sampler(compose: Any) -> None:
    """Its own sampler repeats validation images until all processes have equally many."""
    assert compose([]).trainer.use_distributed_sampler is False


def test_unreadable_files_are_named_together_before_anything_is_split(folder_source: Any, root: Path) -> None:
    for number in (3, 11):
        (root / "images" / f"{number:02d}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"(?s)03\.png.*11\.png"):
        data_module(folder_source(root))


def test_files_that_do_not_pair_up_are_refused_all_at_once(folder_source: Any, root: Path) -> None:
    (root / "masks" / "03.png").unlink()
    (root / "images" / "04.png").unlink()
    with pytest.raises(InputError) as error:
        data_module(folder_source(root))
    assert "03.png has no mask" in str(error.value)
    assert "04.png has no image" in str(error.value)


def test_a_leaking_split_is_refused_before_anything_is_set_up(
    folder_source: Any, draw_pairs: Any, tmp_path: Path
) -> None:
    draw_pairs(tmp_path / "train", {"a": 0, "b": 1})
    draw_pairs(tmp_path / "validation", {"c": 0})
    with pytest.raises(InputError, match=r"a \(train\), c \(validation\)"):
        data_module(folder_source(tmp_path))
    data = data_module(folder_source(tmp_path, leaks="drop"))
    assert data.split["parts"]["train"] == ["b"]


def test_a_part_that_is_empty_once_leaks_are_dropped_is_named(
    folder_source: Any, draw_pairs: Any, tmp_path: Path
) -> None:
    draw_pairs(tmp_path / "train", {"a": 0})
    draw_pairs(tmp_path / "validation", {"c": 0})
    data = data_module(folder_source(tmp_path, leaks="drop"))
    with pytest.raises(InputError, match="no train image"):
        data.setup("fit")
