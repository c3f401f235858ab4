"""Facts: which samples show one lesion, and how large it is; found out once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lesionseg.data.facts
from lesionseg.data.cache import NoCache, PixelCache, open_cache
from lesionseg.data.facts import Facts
from lesionseg.data.pairing import pair_by_stem
from lesionseg.data.sample import FilePair, Sample
from lesionseg.data.source import CacheName


@pytest.fixture
def pairs(tmp_path: Path, draw_pairs: Any) -> list[FilePair]:
    """Six pictures, of which `e` is `b` again."""
    root = draw_pairs(tmp_path / "data", {"a": 0, "b": 1, "c": 2, "d": 3, "e": 1, "f": 4})
    return list(pair_by_stem(root / "images", root / "masks", mask_suffix="").pairs)


def facts(samples: Sequence[Sample], folder: Path, name: CacheName = "disk") -> Facts:
    return Facts(samples, open_cache(name, samples, 48, folder))


def together(found: Facts) -> set[frozenset[str]]:
    """The ids of each group of more than one."""
    members: dict[int, set[str]] = {}
    for id_, label in zip(found.ids, found.groups, strict=True):
        members.setdefault(label, set()).add(id_)
    return {frozenset(group) for group in members.values() if len(group) > 1}


@pytest.mark.parametrize("cache", ["disk", "memory", "none"])
def test_copies_are_duplicates_and_a_group_whatever_the_cache(
    pairs: list[FilePair], tmp_path: Path, cache: CacheName
) -> None:
    found = facts(pairs, tmp_path, cache)
    assert found.duplicates == [(1, 4, 1.0, True)]
    assert together(found) == {frozenset("be")}


def test_what_the_metadata_say_and_what_is_a_copy_are_joined(pairs: list[FilePair], tmp_path: Path) -> None:
    """`a` and `b` are one patient's, `b` and `e` one picture, `c` and `f` another patient's; `d` is alone."""
    patients = {"a": "p1", "b": "p1", "c": "p2", "f": "p2", "d": "p3"}
    named = [replace(pair, group=patients.get(pair.id)) for pair in pairs]
    assert together(facts(named, tmp_path)) == {frozenset("abe"), frozenset("cf")}


def test_an_archives_image_is_one_in_all_sources_whatever_its_pixels(pairs: list[FilePair], tmp_path: Path) -> None:
    """`a` and `c` are one image, cropped otherwise, say; `d` and `f` have one name, but no archive's."""
    names = {"a": "isic2017/ISIC_0000001", "c": "isic2018/ISIC_0000001", "d": "mine/001", "f": "yours/001"}
    renamed = [replace(pair, id=names.get(pair.id, pair.id)) for pair in pairs]
    assert together(facts(renamed, tmp_path)) == {frozenset("be"), frozenset({names["a"], names["c"]})}


def test_lesion_sizes_are_the_shares_of_the_truths_own_pixels(pairs: list[FilePair], tmp_path: Path) -> None:
    shares = [float((np.asarray(Image.open(pair.mask_path)) > 128).mean()) for pair in pairs]
    assert facts(pairs, tmp_path).lesion_sizes == pytest.approx(shares, abs=1e-12)


def test_other_runs_do_not_compare_again_where_the_cache_is_a_disk(
    pairs: list[FilePair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = facts(pairs, tmp_path).duplicates
    monkeypatch.setattr(lesionseg.data.facts, "find_duplicates", lambda *_: pytest.fail("compared again"))
    again = facts(pairs, tmp_path).duplicates
    assert again == first
    assert again[0].likeness == 1.0


def test_nothing_is_read_before_it_is_asked_for(pairs: list[FilePair], tmp_path: Path) -> None:
    for pair in pairs:
        pair.image_path.write_bytes(b"no image")
    assert facts(pairs, tmp_path).ids == ["a", "b", "c", "d", "e", "f"]


def test_drawn_samples_are_known_to_differ_and_not_compared(synthetic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PixelCache, "remember", lambda *_: pytest.fail("compared"))
    samples = synthetic(train=4).samples("train")
    found = Facts(samples, NoCache(samples, 32))
    assert found.duplicates == []
    assert sorted(set(found.groups)) == [0, 1, 2, 3]
