"""The loader: how many workers start, where memory is pinned, and what a fault in a worker looks like."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import RandomSampler, SequentialSampler

import lesionseg.data.loader
from lesionseg.data.cache import open_cache
from lesionseg.data.dataset import LesionDataset
from lesionseg.data.loader import default_workers, loader
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
