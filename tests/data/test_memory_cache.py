"""The memory cache: each file read once a run."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lesionseg.data.memory_cache import MemoryCache
from lesionseg.data.pairing import pair_by_stem
from lesionseg.data.sample import FilePair, Resized
from lesionseg.errors import InputError


@pytest.fixture
def pairs(tmp_path: Path, draw_pairs: Any) -> list[FilePair]:
    root = draw_pairs(tmp_path, dict(zip("abcd", range(4), strict=True)))
    return list(pair_by_stem(root / "images", root / "masks", mask_suffix="").pairs)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    read = FilePair.read_resized

    def noted(sample: FilePair, size: int) -> Resized:
        seen.append(sample.id)
        return read(sample, size)

    monkeypatch.setattr(FilePair, "read_resized", noted)
    return seen


def test_each_file_is_read_once_when_it_is_first_wanted(pairs: list[FilePair], reads: list[str]) -> None:
    cache = MemoryCache(pairs, 32)
    assert not reads
    cache.prepare([0, 2])
    assert sorted(reads) == ["a", "c"]
    cache[1], cache[1], cache[0]
    cache.prepare(range(4))
    assert sorted(reads) == ["a", "b", "c", "d"]


def test_another_run_reads_again(pairs: list[FilePair], reads: list[str]) -> None:
    for _ in range(2):
        MemoryCache(pairs, 32).prepare([0])
    assert reads == ["a", "a"]


def test_a_mended_file_can_be_read_after_the_others_were_kept(pairs: list[FilePair], reads: list[str]) -> None:
    cache = MemoryCache(pairs, 32)
    content = pairs[1].image_path.read_bytes()
    pairs[1].image_path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"b\.png"):
        cache.prepare(range(4))
    pairs[1].image_path.write_bytes(content)
    reads.clear()
    cache.prepare(range(4))
    assert reads == ["b"]


def test_an_image_without_a_lesion_counts_as_read(pairs: list[FilePair], reads: list[str]) -> None:
    """Its share of 0 is no sign of an unread row."""
    Image.new("L", (64, 64)).save(pairs[0].mask_path)
    cache = MemoryCache(pairs, 32)
    cache.prepare([0])
    assert cache[0].lesion_share == 0
    assert reads == ["a"]
