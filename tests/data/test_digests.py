"""Files of a split are known again by their contents, whatever their names and times."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from lesionseg.data.digests import changes, digests_of, file_digest, require_unchanged, with_digests
from lesionseg.data.sample import FilePair
from lesionseg.errors import InputError

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
