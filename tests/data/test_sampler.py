"""The sampler: order and seeds are fixed by (seed, epoch) alone."""

import pytest

from lesionseg.data.sampler import SeededSampler


def pairs(epoch: int = 0, *, size: int = 20, seed: int = 0, shuffle: bool = True) -> list[tuple[int, int]]:
    sampler = SeededSampler(size, seed=seed, shuffle=shuffle)
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("size", [0, 1, 20])
def test_every_sample_comes_once_an_epoch(size: int) -> None:
    assert sorted(index for index, _ in pairs(size=size)) == list(range(size))
    assert len(SeededSampler(size, seed=0, shuffle=True)) == size


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
