from collections.abc import Callable

import numpy as np
import pytest
from omegaconf import DictConfig

from lesionseg.benchmarking import reading as module
from lesionseg.benchmarking.reading import Batches, evenly, loader_works
from lesionseg.benchmarking.timing import Speed, Work, measure

Composed = Callable[..., DictConfig]


def test_cold_reads_every_image_and_cached_takes_augmented_batches(
    composed: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = module.open_cache

    def counting(*arguments: object) -> object:
        cache = original(*arguments)  # type: ignore[arg-type]
        keep = cache._keep  # type: ignore[attr-defined]
        monkeypatch.setattr(cache, "_keep", lambda row, resized: (read.append(row), keep(row, resized)))
        return cache

    monkeypatch.setattr(module, "open_cache", counting)
    with loader_works(composed("data.train=20")) as (cold, cached):
        assert isinstance(cold, Work)
        assert isinstance(cached, Work)
        read.clear()
        cold.call()
        cold.call()
        assert sorted(read) == sorted([*range(6), *range(6)])
        read.clear()
        speeds = measure([cold, cached], rounds=2, seconds=0.01)
    assert [speed.row.way for speed in speeds] == ["cold", "cached, augmented"]
    assert all(len(speed.rates) == 2 and min(speed.rates) > 0 for speed in speeds)
    assert cached.row.detail == "memory cache, no workers, batch 4"
    assert (cold.images, cached.images) == (6, 4)


def test_files_are_read_into_a_cache_that_is_empty_each_time(
    composed: Composed, draw_pairs: Callable[..., object], tmp_path: object
) -> None:
    root = draw_pairs(tmp_path, {f"image {number}": number for number in range(3)})
    with loader_works(composed("data=folder", f"data.root={root}", "data.cache=disk")) as (cold, cached):
        assert isinstance(cold, Work)
        assert cold.row.detail.startswith("disk cache")
        cold.before()
        cold.call()
        cold.call()
        assert cold.images == 3
        assert isinstance(cached, Work)
        cached.call()


def test_without_a_cache_there_is_no_first_time(composed: Composed) -> None:
    with loader_works(composed("data.cache=none")) as (cold, cached):
        assert isinstance(cold, Speed)
        assert cold.missing is not None
        assert "keeps nothing" in cold.missing
        assert isinstance(cached, Work)


def test_samples_are_chosen_evenly() -> None:
    assert evenly(list(range(11)), 3) == [0, 5, 10]  # type: ignore[arg-type, comparison-overlap]
    assert evenly(list(range(2)), 9) == [0, 1]  # type: ignore[arg-type, comparison-overlap]


def test_batches_made_beforehand_are_taken_off_the_clock() -> None:
    class Loader:
        num_workers, prefetch_factor = 2, 3

        def __init__(self) -> None:
            self.taken: list[int] = []

        def __iter__(self) -> object:
            for number in np.arange(4).tolist():
                self.taken.append(number)
                yield number

    made = Loader()
    batches = Batches(made)  # type: ignore[arg-type]
    batches.drain()
    assert made.taken == [0, 1, 2, 3, 0, 1]
