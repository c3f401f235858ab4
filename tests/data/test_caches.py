"""What every cache that `data.cache` may name does alike."""

import typing
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionseg.data.cache import PixelCache
from lesionseg.data.caches import open_cache
from lesionseg.data.disk_cache import DiskCache
from lesionseg.data.memory_cache import MemoryCache
from lesionseg.data.no_cache import NoCache
from lesionseg.data.pairing import pair_by_stem
from lesionseg.data.sample import FilePair
from lesionseg.data.source import CacheName
from lesionseg.errors import InputError

KINDS: dict[CacheName, tuple[type[PixelCache], bool]] = {
    "disk": (DiskCache, True),
    "memory": (MemoryCache, True),
    "none": (NoCache, False),
}
"""The class of each name, and whether a prepared row comes without reading."""


@pytest.fixture
def pairs(tmp_path: Path, draw_pairs: Any) -> list[FilePair]:
    root = draw_pairs(tmp_path / "data", {"a": 0, "b": 1, "c": 2}, size=50)
    return list(pair_by_stem(root / "images", root / "masks", mask_suffix="").pairs)


@pytest.fixture(params=KINDS)
def cache(request: pytest.FixtureRequest, pairs: list[FilePair], tmp_path: Path) -> PixelCache:
    return open_cache(request.param, pairs, 32, tmp_path / "cache")


def test_every_name_is_tested_here() -> None:
    assert set(KINDS) == set(typing.get_args(CacheName))


@pytest.mark.parametrize("name", KINDS)
def test_a_name_opens_its_cache(pairs: list[FilePair], tmp_path: Path, name: CacheName) -> None:
    cache = open_cache(name, pairs, 32, tmp_path)
    assert (type(cache), cache.is_quick) == KINDS[name]
    assert (cache.samples, cache.size) == (pairs, 32)


def test_a_disk_cache_lies_where_it_was_told_to(
    pairs: list[FilePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LESIONSEG_CACHE", str(tmp_path / "variable"))
    for given, place in ((tmp_path / "given", "given"), (None, "variable")):
        cache = open_cache("disk", pairs, 32, given)
        cache.prepare([0])
        assert list((tmp_path / place).rglob("images.npy"))


@pytest.mark.parametrize("prepared", [[], [1], [0, 1, 2]], ids=str)
def test_rows_are_the_samples_at_the_size_prepared_or_not(
    cache: PixelCache, pairs: list[FilePair], prepared: list[int]
) -> None:
    cache.prepare([0])
    cache.prepare(prepared)
    for row in (2, 0, 1, 0):
        found, expected = cache[row], pairs[row].read_resized(32)
        assert np.array_equal(found.image, expected.image)
        assert np.array_equal(found.mask, expected.mask)
        assert found.lesion_share == expected.lesion_share


def test_what_is_kept_cannot_be_changed(cache: PixelCache, pairs: list[FilePair]) -> None:
    cache.prepare(range(3))
    row = cache[1]
    with suppress(ValueError):  # read-only; what is not kept may be changed
        row.image[:], row.mask[:] = 7, 1
    assert np.array_equal(cache[1].image, pairs[1].read_resized(32).image)
    assert np.array_equal(cache[1].mask, pairs[1].read_resized(32).mask)


def test_what_is_quick_reads_no_file_again_and_what_is_not_does(cache: PixelCache, pairs: list[FilePair]) -> None:
    cache.prepare(range(3))
    for pair in pairs:
        pair.image_path.unlink()
    if cache.is_quick:
        assert cache[1].image.any()
    else:
        with pytest.raises(InputError, match=r"b\.png"):
            cache[1]


def test_what_is_remembered_is_what_was_computed(cache: PixelCache) -> None:
    cache.prepare(range(3))
    assert cache.remember("answer", lambda: [[1, 2, 0.5]]) == [[1, 2, 0.5]]
