"""The sampler: order and seeds are fixed by (seed, epoch) alone, and shared out between processes."""

from itertools import chain

import pytest

from lesionseg.data.sampler import SeededSampler


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
