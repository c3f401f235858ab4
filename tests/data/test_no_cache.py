"""No cache: files as they are now."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lesionseg.data.no_cache import NoCache
from lesionseg.data.pairing import pair_by_stem
from lesionseg.data.sample import FilePair
from lesionseg.errors import InputError


@pytest.fixture
def pair(tmp_path: Path, draw_pairs: Any) -> FilePair:
    root = draw_pairs(tmp_path, {"a": 0})
    return pair_by_stem(root / "images", root / "masks", mask_suffix="").pairs[0]


def test_every_row_is_read_again_every_time(pair: FilePair) -> None:
    cache = NoCache([pair], 32)
    for level in (9, 77):
        Image.new("RGB", (64, 64), (level, level, level)).save(pair.image_path)
        assert cache[0].image.min() == cache[0].image.max() == level


def test_a_fault_is_told_when_the_row_is_reached(pair: FilePair) -> None:
    pair.image_path.write_bytes(b"no image")
    cache = NoCache([pair], 32)
    cache.prepare([0])
    with pytest.raises(InputError, match=r"a\.png"):
        cache[0]


def test_nothing_is_remembered(pair: FilePair) -> None:
    answers = iter((1, 2))
    cache = NoCache([pair], 32)
    assert [cache.remember("answer", lambda: next(answers)) for _ in range(2)] == [1, 2]
