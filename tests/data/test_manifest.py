"""Manifests: the ids of each part with a hash of exactly that, and digests of the files."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lesionseg.data.manifest import (
    changes,
    digests_of,
    file_digest,
    manifest,
    read_digests,
    read_manifest,
    require_unchanged,
    with_digests,
)
from lesionseg.data.source import FilePair
from lesionseg.errors import InputError

PARTS = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
SHA256 = "4fa73df9dd1ecad8ced9a128cd3f0f33581edb5c538c575a8e63fd5cbce08191"
"""What `printf '{"test":["d"],"train":["a","b"],"validation":["c"]}' | sha256sum` prints."""


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
    "nothing to train on": ({"train": [], "validation": ["c"]}, ["subset train is empty"]),
    "nothing to validate on": ({"train": ["a"]}, ["subset validation is empty"]),
    "an unknown part": (
        {"train": ["a"], "validation": ["c"], "val": ["d"]},
        ["there is no subset val; allowed: train, validation, test"],
    ),
    "everything at once": (
        {"train": ["z", "y"], "test": ["d", "d"], "holdout": []},
        ["no image z", "no image y", "d is listed more than once", "subset validation is empty", "no subset holdout"],
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


SPLIT: dict[str, Any] = {"parts": {"train": ["a"], "validation": ["b"], "test": []}, "sha256": "0" * 64, "how": {}}


def pair(folder: Path, id_: str, image: bytes, mask: bytes) -> FilePair:
    paths = folder / f"{id_}.jpg", folder / f"{id_}.png"
    for path, content in zip(paths, (image, mask), strict=True):
        path.write_bytes(content)
    return FilePair(id_, *paths)


def test_a_digest_is_the_beginning_of_the_files_sha256(tmp_path: Path) -> None:
    """Of the example in FIPS 180-2, so that `sha256sum` shows it too."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_digest(tmp_path / "abc") == "ba7816bf8f01cfea"


def test_image_and_mask_have_their_digests(tmp_path: Path) -> None:
    digests = digests_of([pair(tmp_path, "one", b"image", b"mask"), pair(tmp_path, "two", b"image", b"other")])
    image, mask, other = (hashlib.sha256(content).hexdigest()[:16] for content in (b"image", b"mask", b"other"))
    assert digests == {"one": f"{image} {mask}", "two": f"{image} {other}"}


def test_drawn_samples_have_none(synthetic: Any) -> None:
    assert digests_of(synthetic(train=2).samples("train")) == {}
    assert "files" not in with_digests(SPLIT, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png: cannot be read"):
        file_digest(tmp_path / "gone.png")


def test_only_the_images_of_the_split_are_written_down() -> None:
    written = with_digests(SPLIT, {"a": "1 2", "b": "3 4", "c": "5 6"})
    assert written == SPLIT | {"files": {"a": "1 2", "b": "3 4"}}


def test_changes_say_which_file_it_is() -> None:
    then = {"a": "1 2", "b": "3 4", "c": "5 6", "d": "7 8", "gone": "9 9"}
    now = {"a": "1 2", "b": "0 4", "c": "5 0", "d": "0 0", "new": "9 9"}
    assert changes(then, now) == {"b": "image", "c": "mask", "d": "image and mask"}


def test_names_that_look_the_same_are_one() -> None:
    assert changes({"le\u0301sion": "1 2"}, {"l\u00e9sion": "1 3"}) == {"l\u00e9sion": "mask"}


def test_a_pair_that_another_one_overwrote_is_refused_by_name(tmp_path: Path) -> None:
    pairs = [pair(tmp_path, id_, id_.encode(), b"mask of " + id_.encode()) for id_ in ("train1", "test1", "test2")]
    then = digests_of(pairs)
    for old, new in zip(pairs[0].files, pairs[1].files, strict=True):
        shutil.copy2(old, new)
    with pytest.raises(InputError) as caught:
        require_unchanged(then, digests_of(pairs), origin="the checkpoint", remedy="give data=...")
    assert str(caught.value).startswith("1 of 3 images are other files than the checkpoint was made with, so")
    assert str(caught.value).endswith("; put the files back, or give data=...:\n  - test1 (image and mask)")


def test_copies_elsewhere_are_the_same_files(tmp_path: Path) -> None:
    one = pair(tmp_path, "one", b"image", b"mask")
    (tmp_path / "else").mkdir()
    other = pair(tmp_path / "else", "one", b"image", b"mask")
    require_unchanged(digests_of([one]), digests_of([other]), origin="", remedy="")
