"""A checkpoint's own images are scored as the files that they were, or not at all."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.folder import Folder
from lesionseg.data.part_samples import other_samples, own_samples
from lesionseg.errors import InputError


@pytest.fixture
def root(tmp_path: Path, draw_pairs: Any) -> Path:
    return draw_pairs(tmp_path / "data", {f"{number:02d}": number for number in range(12)}, size=40)


@pytest.fixture
def split(root: Path, folder_source: Any) -> dict[str, Any]:
    """As a training writes it."""
    source = folder_source(root, cache="memory", validation_share=0.25, test_share=0.25)
    module = LesionDataModule(source, image_size=32, batch_size=1, num_workers=0, seed=0, augment=None)
    return json.loads(json.dumps(module.split))


def overwrite(root: Path, old: str, new: str) -> None:
    """Puts one pair in another one's place, as a slip of a copy does."""
    for kind in ("images", "masks"):
        shutil.copy2(root / kind / f"{new}.png", root / kind / f"{old}.png")


def test_the_images_of_the_split_are_found_again(root: Path, split: dict[str, Any], folder_source: Any) -> None:
    for part in ("train", "validation", "test"):
        assert [sample.id for sample in own_samples(folder_source(root), part, split)] == split["parts"][part]
    assert len(own_samples(folder_source(root), "all", split)) == 12


def test_a_test_pair_that_a_training_pair_overwrote_is_not_scored(
    root: Path, split: dict[str, Any], folder_source: Any
) -> None:
    test, train = split["parts"]["test"][0], split["parts"]["train"][0]
    overwrite(root, test, train)
    for part in ("test", "all"):
        with pytest.raises(InputError, match=rf"1 of .* other files than the checkpoint.*\n  - {test} \(image and"):
            own_samples(folder_source(root), part, split)
    assert len(own_samples(folder_source(root), "train", split)) == len(split["parts"]["train"])


def test_a_mask_drawn_anew_is_told_from_the_old_one(root: Path, split: dict[str, Any], folder_source: Any) -> None:
    test, other = split["parts"]["test"][:2]
    shutil.copy2(root / "masks" / f"{other}.png", root / "masks" / f"{test}.png")
    with pytest.raises(InputError, match=rf"{test} \(mask\)"):
        own_samples(folder_source(root), "test", split)


def test_a_split_of_an_earlier_version_names_no_files(root: Path, split: dict[str, Any], folder_source: Any) -> None:
    overwrite(root, split["parts"]["test"][0], split["parts"]["train"][0])
    del split["files"]
    assert len(own_samples(folder_source(root), "test", split)) == 3


@pytest.mark.parametrize("key", ["files", None])
def test_a_manifest_is_held_to_its_files_for_other_data_too(
    root: Path, split: dict[str, Any], folder_source: Any, tmp_path: Path, key: str | None
) -> None:
    """As `data=folder data.split=split.json`; without the key, which may be taken out, the files are as they are."""
    overwrite(root, split["parts"]["test"][0], split["parts"]["train"][0])
    (tmp_path / "split.json").write_text(json.dumps({name: split[name] for name in split if key or name != "files"}))
    source = folder_source(root, split=str(tmp_path / "split.json"))
    assert len(other_samples(source, "train", 32)) == 6
    if key is None:
        assert len(other_samples(source, "test", 32)) == 3
    else:
        with pytest.raises(InputError, match=r"data\.split=.*split\.json was made with.*take `files` out of it"):
            other_samples(source, "test", 32)


def test_ids_of_a_split_are_found_however_their_accents_are_written(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Callable[..., Folder]
) -> None:
    source = folder_source(draw_pairs(tmp_path, {"l\u00e9sion": 0}))
    (sample,) = own_samples(source, "train", {"parts": {"train": ["le\u0301sion"]}})
    assert sample.mask_path == tmp_path / "masks" / "l\u00e9sion.png"  # type: ignore[attr-defined]
