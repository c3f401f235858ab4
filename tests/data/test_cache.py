"""Caches: what all that `data.cache` may name do alike, what is special of each, and reading many samples at once."""

import sys
import threading
import typing
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.cache import DiskCache, MemoryCache, PixelCache, cache_folder, open_cache, read_all
from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import Array, CacheName, FilePair, Resized, Sample
from lesionseg.errors import InputError

KINDS: dict[CacheName, tuple[type[PixelCache], bool]] = {
    "disk": (DiskCache, True),
    "memory": (MemoryCache, True),
    "none": (PixelCache, False),
}
"""The class of each name, and whether a prepared row comes without reading."""


@pytest.fixture
def pairs(tmp_path: Path, draw_pairs: Any) -> list[FilePair]:
    root = draw_pairs(tmp_path / "data", {"a": 0, "b": 1, "c": 2}, size=50)
    return list(pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs)


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


# In memory


@pytest.fixture
def four(tmp_path: Path, draw_pairs: Any) -> list[FilePair]:
    root = draw_pairs(tmp_path, dict(zip("abcd", range(4), strict=True)))
    return list(pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    read = FilePair.read_resized

    def noted(sample: FilePair, size: int) -> Resized:
        seen.append(sample.id)
        return read(sample, size)

    monkeypatch.setattr(FilePair, "read_resized", noted)
    return seen


def test_each_file_is_read_once_when_it_is_first_wanted(four: list[FilePair], reads: list[str]) -> None:
    cache = MemoryCache(four, 32)
    assert not reads
    cache.prepare([0, 2])
    assert sorted(reads) == ["a", "c"]
    cache[1], cache[1], cache[0]
    cache.prepare(range(4))
    assert sorted(reads) == ["a", "b", "c", "d"]


def test_another_run_reads_again(four: list[FilePair], reads: list[str]) -> None:
    for _ in range(2):
        MemoryCache(four, 32).prepare([0])
    assert reads == ["a", "a"]


def test_a_mended_file_can_be_read_after_the_others_were_kept(four: list[FilePair], reads: list[str]) -> None:
    cache = MemoryCache(four, 32)
    content = four[1].image_path.read_bytes()
    four[1].image_path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"b\.png"):
        cache.prepare(range(4))
    four[1].image_path.write_bytes(content)
    reads.clear()
    cache.prepare(range(4))
    assert reads == ["b"]


def test_an_image_without_a_lesion_counts_as_read(four: list[FilePair], reads: list[str]) -> None:
    """Its share of 0 is no sign of an unread row."""
    Image.new("L", (64, 64)).save(four[0].mask_path)
    cache = MemoryCache(four, 32)
    cache.prepare([0])
    assert cache[0].lesion_share == 0
    assert reads == ["a"]


# None


@pytest.fixture
def pair(tmp_path: Path, draw_pairs: Any) -> FilePair:
    root = draw_pairs(tmp_path, {"a": 0})
    return pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs[0]


def test_every_row_is_read_again_every_time(pair: FilePair) -> None:
    cache = PixelCache([pair], 32)
    for level in (9, 77):
        Image.new("RGB", (64, 64), (level, level, level)).save(pair.image_path)
        assert cache[0].image.min() == cache[0].image.max() == level


def test_a_fault_is_told_when_the_row_is_reached(pair: FilePair) -> None:
    pair.image_path.write_bytes(b"no image")
    cache = PixelCache([pair], 32)
    cache.prepare([0])
    with pytest.raises(InputError, match=r"a\.png"):
        cache[0]


def test_nothing_is_remembered(pair: FilePair) -> None:
    answers = iter((1, 2))
    cache = PixelCache([pair], 32)
    assert [cache.remember("answer", lambda: next(answers)) for _ in range(2)] == [1, 2]


# Folder and reading


@dataclass(frozen=True)
class Level(Sample):
    """One grey level; -1 cannot be read."""

    level: int

    def image(self) -> Array:
        if self.level < 0:
            raise InputError(f"{self.id} is spoilt")
        return np.full((40, 50, 3), self.level, np.uint8)

    def mask(self) -> Array:
        return np.ones((40, 50), np.uint8)


def levels(*values: int) -> list[Level]:
    return [Level(f"sample {row}", level) for row, level in enumerate(values)]


def test_the_given_folder_wins_over_the_variable_and_the_variable_over_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LESIONSEG_CACHE", str(tmp_path / "variable"))
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    assert cache_folder(None) == tmp_path / "variable"


@pytest.mark.skipif(sys.platform != "linux", reason="caches are elsewhere on other systems")
@pytest.mark.parametrize("variable", [None, ""])
def test_by_default_caches_are_where_the_xdg_specification_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LESIONSEG_CACHE")
    if variable is not None:
        monkeypatch.setenv("LESIONSEG_CACHE", variable)
    assert cache_folder(None) == tmp_path / "lesionseg"


def test_the_rows_that_are_asked_for_are_read_and_no_others() -> None:
    kept: dict[int, Resized] = {}
    read_all(levels(0, 10, 20, 30, 40), [4, 1, 3], 32, kept.__setitem__)
    assert {row: resized.image.max() for row, resized in kept.items()} == {1: 10, 3: 30, 4: 40}
    assert kept[1].image.shape == (32, 32, 3)


def test_all_faults_are_told_at_once_with_what_to_do_and_the_others_are_kept() -> None:
    kept: dict[int, Resized] = {}
    with pytest.raises(InputError) as error:
        read_all(levels(-1, 1, 2, -1, 4, -1), range(6), 32, kept.__setitem__)
    message = str(error.value)
    assert "mend the files or take them out" in message
    assert all(f"sample {row} is spoilt" in message for row in (0, 3, 5))
    assert sorted(kept) == [1, 2, 4]


def test_a_fault_in_keeping_ends_the_reading_at_once() -> None:
    kept: list[int] = []
    keeping = threading.Lock()

    def full_after_three(row: int, _: Resized) -> None:
        with keeping:
            if len(kept) == 3:
                raise OSError("full")
            kept.append(row)

    with pytest.raises(OSError, match="full"):
        read_all(levels(*range(200)), range(200), 32, full_after_three)
    assert len(kept) == 3


def test_nothing_to_read_is_no_fault() -> None:
    read_all([], [], 32, lambda row, resized: pytest.fail("nothing was asked for"))
