"""Splits: whole groups, even lesion sizes, fixed by a seed alone, and written down with a hash of exactly that."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionseg.data.digests import with_digests
from lesionseg.data.split import cut, fold_of, manifest, read_digests, read_manifest, size_bins
from lesionseg.errors import InputError

PARTS = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
SHA256 = "4fa73df9dd1ecad8ced9a128cd3f0f33581edb5c538c575a8e63fd5cbce08191"
"""What `printf '{"test":["d"],"train":["a","b"],"validation":["c"]}' | sha256sum` prints."""


class Images:
    """So many images, some of one lesion, of skewed sizes as lesions are."""

    def __init__(self, count: int, *, per_lesion: int = 1, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.ids = [f"{number:03d}" for number in range(count)]
        self.groups = [number // per_lesion for number in range(count)]
        self.sizes = list(rng.beta(1, 4, count))
        self.size_of = dict(zip(self.ids, self.sizes, strict=True))

    def everything(self) -> dict[str, Any]:
        return {"ids": self.ids, "groups": self.groups, "sizes": self.sizes}

    def shuffled(self, *, relabelled: bool = True) -> dict[str, Any]:
        """The same images in another order, their groups under other numbers."""
        order = random.Random(3).sample(range(len(self.ids)), len(self.ids))
        names = random.Random(4).sample(range(1000), 1 + max(self.groups))
        return {
            "ids": [self.ids[row] for row in order],
            "groups": [names[self.groups[row]] if relabelled else self.groups[row] for row in order],
            "sizes": [self.sizes[row] for row in order],
        }

    def mean_size(self, ids: Sequence[str] | set[str]) -> float:
        return float(np.mean([self.size_of[id_] for id_ in ids]))


def folds_of(images: Images, folds: int = 5, seed: int = 0) -> list[set[str]]:
    return [fold_of(folds=folds, fold=fold, seed=seed, **images.everything()) for fold in range(folds)]


@pytest.mark.parametrize(
    ("count", "share", "taken"),
    [(100, 0.15, 15), (12, 0.25, 3), (12, 0.01, 1), (12, 0.99, 11), (2, 0.5, 1), (3, 0.2, 1), (2000, 0.075, 150)],
)
def test_a_cut_takes_the_share_but_at_least_one_and_never_all(count: int, share: float, taken: int) -> None:
    images = Images(count)
    chosen = cut(share=share, seed=0, **images.everything())
    assert len(chosen) == taken
    assert chosen < set(images.ids)


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_takes_whole_lesions(seed: int) -> None:
    images = Images(90, per_lesion=3)
    chosen = cut(share=0.2, seed=seed, **images.everything())
    assert len(chosen) == 18
    assert len({images.groups[int(id_)] for id_ in chosen}) == 6


@pytest.mark.parametrize("seed", range(5))
def test_both_sides_of_a_cut_have_lesions_of_like_sizes(seed: int) -> None:
    images = Images(200)
    chosen = cut(share=0.2, seed=seed, **images.everything())
    rest = set(images.ids) - chosen
    assert images.mean_size(chosen) == pytest.approx(images.mean_size(rest), rel=0.1)
    largest = sorted(images.ids, key=images.size_of.__getitem__)[-40:]
    assert len(chosen & set(largest)) == 8  # a fifth of the largest fifth


def test_the_seed_decides() -> None:
    images = Images(60)
    everything = images.everything()
    assert cut(share=0.2, seed=7, **everything) == cut(share=0.2, seed=7, **everything)
    assert cut(share=0.2, seed=7, **everything) != cut(share=0.2, seed=8, **everything)
    assert folds_of(images, seed=7)[0] != folds_of(images, seed=8)[0]


def test_neither_the_order_of_the_images_nor_the_numbers_of_their_lesions_count() -> None:
    images = Images(61, per_lesion=2)
    assert cut(share=0.3, seed=1, **images.shuffled()) == cut(share=0.3, seed=1, **images.everything())
    for fold in range(4):
        chosen = fold_of(folds=4, fold=fold, seed=1, **images.everything())
        assert fold_of(folds=4, fold=fold, seed=1, **images.shuffled()) == chosen


def test_a_split_made_today_is_the_split_of_tomorrow() -> None:
    """Written down from the first version: another library version must not move images into the training part."""
    ids = [f"{number:02d}" for number in range(12)]
    sizes = [number % 5 / 10 for number in range(12)]
    groups = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    assert sorted(cut(ids, share=0.25, groups=groups, sizes=sizes, seed=0)) == ["08", "10", "11"]
    folds = [sorted(fold_of(ids, folds=3, fold=fold, groups=groups, sizes=sizes, seed=0)) for fold in range(3)]
    assert folds == [["00", "01", "02", "08"], ["03", "04", "05", "07"], ["06", "09", "10", "11"]]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_lesions_to_cut_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} images of {count} lesions are too few to split"):
        cut(share=0.2, seed=0, **Images(count).everything())


def test_images_of_a_single_lesion_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="6 images of 1 lesions are too few"):
        cut(share=0.2, seed=0, **Images(6, per_lesion=6).everything())


@pytest.mark.parametrize(("count", "folds"), [(100, 5), (103, 5), (10, 2), (7, 3), (5, 5)])
def test_folds_are_disjoint_complete_and_of_even_size(count: int, folds: int) -> None:
    images = Images(count)
    made = folds_of(images, folds)
    assert sorted(id_ for fold in made for id_ in fold) == images.ids
    assert max(map(len, made)) - min(map(len, made)) <= 2
    assert min(map(len, made)) >= 1


def test_folds_keep_lesions_whole_and_have_lesions_of_like_sizes() -> None:
    images = Images(300, per_lesion=2)
    made = folds_of(images)
    lesions = [{images.groups[int(id_)] for id_ in fold} for fold in made]
    assert sum(map(len, lesions)) == 150
    for fold in made:
        assert len(fold) == pytest.approx(60, abs=3)
        assert images.mean_size(fold) == pytest.approx(images.mean_size(images.ids), rel=0.1)


def test_too_few_lesions_for_the_folds_are_refused() -> None:
    with pytest.raises(InputError, match=r"8 images of 4 lesions cannot make 5 folds; give a smaller data\.folds"):
        fold_of(folds=5, fold=0, seed=0, **Images(8, per_lesion=2).everything())


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([0.3, 0.1, 0.2, 0.4], 2, [1, 0, 0, 1]),
        ([0.3, 0.1, 0.2, 0.4], 4, [2, 0, 1, 3]),
        ([0.5, 0.1, 0.3], 1, [0, 0, 0]),
        ([0.5, 0.1, 0.3], 0, [0, 0, 0]),
        ([1.0, 1.0, 1.0, 1.0], 2, [0, 0, 1, 1]),  # equal sizes are dealt out too
        ([], 5, []),
    ],
)
def test_sizes_are_numbered_by_quantile(sizes: list[float], most: int, expected: list[int]) -> None:
    assert size_bins(np.array(sizes), most=most).tolist() == expected


def test_bins_are_as_even_as_they_can_be() -> None:
    counts = np.bincount(size_bins(np.random.default_rng(0).random(103), most=5))
    assert sorted(counts.tolist()) == [20, 20, 21, 21, 21]


def test_the_manifest_is_the_sha256_of_the_parts_as_compact_json() -> None:
    written = manifest({"train": ["b", "a"], "validation": ["c"], "test": ["d"]}, {"split": "hold_out"})
    assert written == {"parts": PARTS, "sha256": SHA256, "how": {"split": "hold_out"}}


def test_the_hash_depends_on_the_parts_alone() -> None:
    one = manifest({"train": ["a", "b"], "validation": ["c", "d"]}, {"split_seed": 0})
    other = manifest({"validation": ["d", "c"], "test": [], "train": ["b", "a"]}, {"split_seed": 1})
    assert one["sha256"] == other["sha256"]


@pytest.mark.parametrize(
    "other", [{"train": ["a"], "validation": ["b", "c"]}, {"train": ["a", "b"], "validation": ["d"]}]
)
def test_another_split_has_another_hash(other: dict[Any, list[str]]) -> None:
    assert manifest({"train": ["a", "b"], "validation": ["c"]}, {})["sha256"] != manifest(other, {})["sha256"]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


KNOWN = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (manifest(PARTS, {"split": "hold_out"}), PARTS),  # type: ignore[arg-type]
        ({"parts": {"train": ["b", "a"], "validation": ["c"], "test": ["d"]}, "sha256": SHA256}, PARTS),
        ({"parts": PARTS}, PARTS),
        ({"parts": {"train": ["e"], "validation": ["c"]}}, {"train": ["e"], "validation": ["c"], "test": []}),
    ],
)
def test_a_manifest_is_read_back_sorted_whoever_wrote_it(tmp_path: Path, content: Any, parts: Any) -> None:
    assert read_manifest(write(tmp_path / "split.json", content), KNOWN) == parts


def test_ids_of_digits_are_ids(tmp_path: Path) -> None:
    content = {"parts": {"train": [1, 2], "validation": ["3"]}}
    assert read_manifest(write(tmp_path / "split.json", content), ["1", "2", "3"])["train"] == ["1", "2"]


FAULTS = {
    "an unknown id": ({"train": ["a", "z"], "validation": ["c"]}, ["the data have no image z"]),
    "an id twice": ({"train": ["a", "a"], "validation": ["c"]}, ["a is listed more than once"]),
    "an id in two parts": ({"train": ["a"], "validation": ["a"]}, ["a is listed more than once"]),
    "nothing to train on": ({"train": [], "validation": ["c"]}, ["part train is empty"]),
    "nothing to validate on": ({"train": ["a"]}, ["part validation is empty"]),
    "an unknown part": (
        {"train": ["a"], "validation": ["c"], "val": ["d"]},
        ["there is no part val; allowed: train, validation, test"],
    ),
    "everything at once": (
        {"train": ["z", "y"], "test": ["d", "d"], "holdout": []},
        ["no image z", "no image y", "d is listed more than once", "part validation is empty", "no part holdout"],
    ),
}


@pytest.mark.parametrize(("parts", "messages"), FAULTS.values(), ids=FAULTS.keys())
def test_all_faults_of_a_manifest_are_named(tmp_path: Path, parts: Any, messages: list[str]) -> None:
    path = write(tmp_path / "split.json", {"parts": parts})
    with pytest.raises(InputError) as error:
        read_manifest(path, KNOWN)
    assert f"data.split={path} does not fit" in str(error.value)
    assert all(message in str(error.value) for message in messages)


def test_ids_that_were_edited_do_not_fit_their_hash(tmp_path: Path) -> None:
    edited = {"parts": PARTS | {"test": ["e"]}, "sha256": SHA256}
    with pytest.raises(InputError, match=r"the ids are not those of its sha256; .*take sha256 out"):
        read_manifest(write(tmp_path / "split.json", edited), KNOWN)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "a,b,c",
        "[]",
        "{}",
        "3",
        '{"parts": []}',
        '{"parts": null}',
        '{"parts": {"train": 3}}',
        '{"parts": {"train": null, "validation": ["a"]}}',
    ],
)
def test_what_is_no_manifest_is_refused_with_what_one_looks_like(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "split.json", content)
    with pytest.raises(InputError, match=r"split\.json: not a manifest .*expected JSON with parts"):
        read_manifest(path, KNOWN)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: not a manifest .*No such file"):
        read_manifest(tmp_path / "nowhere.json", KNOWN)


def test_ids_that_look_the_same_are_the_same(tmp_path: Path) -> None:
    """One system writes an accent as a sign of its own, another does not; the hash is of what was written."""
    written = {"train": ["le\u0301sion"], "validation": ["b"], "test": []}
    path = tmp_path / "split.json"
    path.write_text(json.dumps(manifest(written, {})))  # type: ignore[arg-type]
    assert read_manifest(path, ["l\u00e9sion", "b"])["train"] == ["l\u00e9sion"]


# What is in the files


def test_a_manifests_digests_are_read_where_it_has_any(tmp_path: Path) -> None:
    written = manifest(PARTS, {}) | {"files": {"1": "ab cd"}}  # type: ignore[arg-type]
    path = write(tmp_path / "split.json", written)
    assert read_digests(path) == {"1": "ab cd"}
    assert read_manifest(path, KNOWN) == PARTS
    assert read_digests(write(tmp_path / "old.json", manifest(PARTS, {}))) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [[], {"files": ["1"]}, {"files": "text"}, None])
def test_digests_of_another_kind_are_no_manifest(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match="not a manifest"):
        read_digests(write(tmp_path / "split.json", content))


def test_the_hash_is_of_names_alone() -> None:
    assert manifest(PARTS, {})["sha256"] == with_digests(manifest(PARTS, {}), {"1": "ab cd"})["sha256"]  # type: ignore[arg-type]
