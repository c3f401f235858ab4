"""The loader: how many workers start, what a fault in one looks like, and which sample comes when, with which seed."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import RandomSampler, SequentialSampler

import lesionseg.data.loader
from lesionseg.data.cache import open_cache
from lesionseg.data.loader import LesionDataset, SeededSampler, default_workers, loader
from lesionseg.data.pairing import pair_folders
from lesionseg.errors import InputError


def show_seed(image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An augmentation whose picture is its seed."""
    shown = np.zeros_like(image)
    shown.ravel()[:8] = np.frombuffer(seed.to_bytes(8, "little"), np.uint8)
    return shown, mask


@pytest.fixture
def root(tmp_path: Path, draw_pairs: Any) -> Path:
    return draw_pairs(tmp_path, {f"{number:02d}": number for number in range(10)}, size=40)


def dataset(root: Path, *, cache: Any = "memory", augment: Any = None) -> LesionDataset:
    pairs = list(pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs)
    opened = open_cache(cache, pairs, 32, None)
    opened.prepare(range(len(pairs)))
    return LesionDataset(opened, range(len(pairs)), augment=augment, full_size_masks=False)


def load(data: LesionDataset, **changes: Any) -> Any:
    return loader(data, **({"batch_size": 4, "num_workers": 0, "seed": 0, "shuffle": True} | changes))


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesionseg.data.loader, "usable_cores", lambda: 16)
    assert [default_workers(processes) for processes in (1, 2, 4, 16)] == [8, 7, 3, 1]


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (4, 3), (9, 8), (64, 8)])
def test_workers_left_open_are_one_core_less_than_there_are(
    root: Path, monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(lesionseg.data.loader, "usable_cores", lambda: cores)
    assert default_workers() == workers
    assert load(dataset(root, augment=show_seed), num_workers=None).num_workers == workers


@pytest.mark.parametrize(
    ("cache", "augment", "workers"),
    [("memory", None, 0), ("memory", show_seed, 2), ("none", None, 2), ("disk", None, 0)],
)
def test_workers_start_only_where_they_pay(root: Path, cache: str, augment: Any, workers: int) -> None:
    assert load(dataset(root, cache=cache, augment=augment), num_workers=2).num_workers == workers


@pytest.mark.parametrize("gpu", [True, False])
def test_memory_is_pinned_for_a_gpu_only(root: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert load(dataset(root)).pin_memory == gpu


@pytest.mark.parametrize(("shuffle", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_a_last_smaller_batch_is_dropped_in_training_only(root: Path, shuffle: bool, sizes: list[int]) -> None:
    assert [len(batch["id"]) for batch in load(dataset(root), shuffle=shuffle)] == sizes


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_batch_larger_than_the_part_still_trains(root: Path, world_size: int) -> None:
    batches = list(load(dataset(root), batch_size=64, world_size=world_size))
    assert [len(batch["id"]) for batch in batches] == [10 // world_size]


@pytest.mark.parametrize("world_size", [1, 2])
def test_small_data_are_passed_over_until_an_epoch_has_enough_batches(root: Path, world_size: int) -> None:
    """Ten images in batches of four are two batches a pass, and one for each of two processes."""
    assert [len(batch["id"]) for batch in load(dataset(root), min_batches=7, world_size=world_size)] == [4] * 7


def test_data_with_enough_batches_are_passed_over_once(root: Path) -> None:
    assert len(list(load(dataset(root), min_batches=2))) == 2


def test_fewer_images_than_a_batch_fill_it_by_several_passes(root: Path) -> None:
    sizes = [len(batch["id"]) for batch in load(dataset(root), batch_size=16, min_batches=3)]
    assert sizes == [16, 16, 16]


@pytest.mark.parametrize("shuffle", [True, False])
def test_processes_share_the_images_out(root: Path, shuffle: bool) -> None:
    shards = [load(dataset(root), shuffle=shuffle, batch_size=1, rank=rank, world_size=3) for rank in range(3)]
    ids = [[batch["id"][0] for batch in shard] for shard in shards]
    together = [id_ for shard in ids for id_ in shard]
    assert len(together) == len(set(together)) == (9 if shuffle else 10)


def test_no_two_workers_augment_alike(root: Path) -> None:
    data = load(dataset(root, augment=show_seed), batch_size=1, num_workers=3)
    seeds = []
    for epoch in range(2):
        data.sampler.set_epoch(epoch)
        for batch in data:
            pixels = batch["image"].permute(0, 2, 3, 1).numpy()
            seeds.append(pixels.tobytes()[:8])
    assert len(seeds) == len(set(seeds)) == 20


def test_lightning_need_not_replace_the_sampler(root: Path) -> None:
    """It would replace torch's own samplers, and batches would no longer depend on (seed, epoch) alone."""
    assert not isinstance(load(dataset(root)).sampler, RandomSampler | SequentialSampler)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_pass_leaves_the_global_random_state_alone(root: Path, shuffle: bool, workers: int) -> None:
    before = torch.random.get_rng_state()
    list(load(dataset(root, cache="none"), shuffle=shuffle, num_workers=workers))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 1])  # torch takes 5 s to end each worker that has met an error
def test_a_file_that_cannot_be_read_in_mid_epoch_stops_with_its_name(root: Path, workers: int) -> None:
    batches = iter(load(dataset(root, cache="none"), shuffle=False, num_workers=workers, batch_size=1))
    (root / "images" / "08.png").write_bytes(b"no image")
    assert next(batches)["id"] == ["00"]
    with pytest.raises(InputError, match=r"08\.png"):
        list(batches)


def pairs(
    epoch: int = 0, *, size: int = 20, seed: int = 0, shuffle: bool = True, rank: int = 0, world_size: int = 1
) -> list[tuple[int, int]]:
    sampler = SeededSampler(size, seed=seed, shuffle=shuffle, rank=rank, world_size=world_size)
    sampler.set_epoch(epoch)
    listed = list(sampler)
    assert len(listed) == len(sampler)
    return listed


@pytest.mark.parametrize("size", [0, 1, 20])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sample_comes_once_an_epoch(size: int, shuffle: bool) -> None:
    assert sorted(index for index, _ in pairs(size=size, shuffle=shuffle)) == list(range(size))


def test_without_shuffling_samples_come_in_order() -> None:
    assert [index for index, _ in pairs(shuffle=False)] == list(range(20))


def test_seed_and_epoch_fix_the_pairs_whatever_was_asked_before() -> None:
    sampler = SeededSampler(20, seed=4, shuffle=True)
    list(sampler)
    list(sampler)
    sampler.set_epoch(3)
    assert list(sampler) == list(sampler) == pairs(3, seed=4)


@pytest.mark.parametrize(("epoch", "seed"), [(1, 0), (0, 1)])
def test_another_epoch_or_seed_changes_order_and_augmentation(epoch: int, seed: int) -> None:
    first, other = pairs(), pairs(epoch, seed=seed)
    assert [index for index, _ in first] != [index for index, _ in other]
    assert not {augmentation for _, augmentation in first} & {augmentation for _, augmentation in other}


def test_every_sample_is_augmented_in_its_own_way() -> None:
    assert len({augmentation for _, augmentation in pairs()}) == 20


def test_pairs_are_plain_non_negative_integers() -> None:
    """They go through process borders and into `random.Random`, which wants a Python int."""
    assert all(type(index) is int and type(seed) is int and seed >= 0 for index, seed in pairs())


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
@pytest.mark.parametrize("epoch", [0, 5])
def test_training_processes_get_equally_many_and_different_pairs_of_the_common_order(
    world_size: int, epoch: int
) -> None:
    shards = [pairs(epoch, world_size=world_size, rank=rank) for rank in range(world_size)]
    assert {len(shard) for shard in shards} == {20 // world_size}
    dealt = list(chain(*zip(*shards, strict=True)))
    assert dealt == pairs(epoch)[: len(dealt)]
    assert len({index for index, _ in dealt}) == len(dealt)


def test_what_one_training_epoch_leaves_over_comes_in_another() -> None:
    seen = {index for epoch in range(8) for rank in range(3) for index, _ in pairs(epoch, rank=rank, world_size=3)}
    assert seen == set(range(20))


@pytest.mark.parametrize("world_size", [1, 2, 3, 7, 30])
def test_evaluating_processes_get_every_sample_once_together(world_size: int) -> None:
    shards = [pairs(shuffle=False, world_size=world_size, rank=rank) for rank in range(world_size)]
    assert sorted(index for shard in shards for index, _ in shard) == list(range(20))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("seen", [0, 1, 7, 20])
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_resumed_epoch_has_the_pairs_that_are_left_and_the_next_has_all(seen: int, world_size: int) -> None:
    sampler = SeededSampler(40, seed=0, shuffle=True, world_size=world_size)
    sampler.resume(3, seen)
    whole = pairs(3, size=40, world_size=world_size)
    assert list(sampler) == whole[seen:]
    assert len(sampler) == len(whole)
    sampler.set_epoch(3)  # Lightning says so again once the epoch begins
    assert list(sampler) == whole[seen:]
    sampler.set_epoch(4)
    assert list(sampler) == pairs(4, size=40, world_size=world_size)


@pytest.mark.parametrize("world_size", [1, 2])
def test_an_epoch_of_several_passes_has_every_sample_as_often(world_size: int) -> None:
    samplers = [
        SeededSampler(20, seed=0, shuffle=True, length=60, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert [len(sampler) for sampler in samplers] == [60 // world_size] * world_size
    drawn = [index for sampler in samplers for index, _ in sampler]
    assert sorted(drawn) == sorted([*range(20)] * 3)


def test_each_pass_has_an_order_and_augmentation_of_its_own() -> None:
    drawn = list(SeededSampler(20, seed=0, shuffle=True, length=40))
    first, second = drawn[:20], drawn[20:]
    assert [index for index, _ in first] != [index for index, _ in second]
    assert len({seed for _, seed in drawn}) == 40


def test_the_last_pass_of_an_epoch_may_have_some_of_the_samples() -> None:
    drawn = [index for index, _ in SeededSampler(20, seed=0, shuffle=True, length=50)]
    counts = [drawn.count(index) for index in range(20)]
    assert (counts.count(2), counts.count(3)) == (10, 10)
