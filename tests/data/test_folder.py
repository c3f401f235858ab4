"""Your own images: one folder that is cut, or folders that say themselves which part they are."""

import shutil
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lesionseg.data.folder import Folder
from lesionseg.data.source import PARTS
from lesionseg.errors import InputError

OPTIONS: dict[str, Any] = {
    "cache": "none",
    "images": "images",
    "masks": "masks",
    "mask_suffix": "",
    "validation_share": 0.2,
    "test_share": 0.1,
    "split_seed": 0,
}


def write_pairs(folder: Path, *stems: str) -> None:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for stem in stems:
            Image.new("L", (4, 4)).save(folder / kind / f"{stem}.png")


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    write_pairs(tmp_path, *(f"photo_{number:02d}" for number in range(20)))
    return tmp_path


def parts(root: Path, **changes: Any) -> dict[str, list[str]]:
    source = Folder(**(OPTIONS | {"root": root} | changes))
    return {part: [sample.id for sample in source.samples(part)] for part in PARTS}


def test_one_folder_is_cut_by_the_shares_without_overlap_or_loss(flat: Path) -> None:
    cut = parts(flat)
    assert {part: len(members) for part, members in cut.items()} == {"train": 14, "validation": 4, "test": 2}
    assert sorted(chain(*cut.values())) == [f"photo_{number:02d}" for number in range(20)]


def test_a_test_share_of_nothing_leaves_the_test_part_empty(flat: Path) -> None:
    cut = parts(flat, test_share=0)
    assert cut["test"] == []
    assert len(cut["train"]) == 16


def test_the_split_seed_alone_decides(flat: Path) -> None:
    assert parts(flat, split_seed=3) == parts(flat, split_seed=3)
    assert parts(flat, split_seed=3) != parts(flat, split_seed=4)


def test_explicit_folders_are_the_law(flat: Path) -> None:
    """Loose images beside them, and the shares, count for nothing."""
    write_pairs(flat / "train", "a", "b")
    write_pairs(flat / "validation", "c")
    write_pairs(flat / "test", "d")
    expected = {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}
    assert parts(flat) == expected
    assert parts(flat, split_seed=9, validation_share=0.6) == expected


def test_without_a_test_folder_there_is_no_test_part(tmp_path: Path) -> None:
    write_pairs(tmp_path / "train", "a", "b")
    write_pairs(tmp_path / "validation", "c")
    assert parts(tmp_path)["test"] == []


def test_a_missing_validation_folder_is_refused_and_not_cut_from_training(tmp_path: Path) -> None:
    write_pairs(tmp_path / "train", *"abcdefgh")
    with pytest.raises(InputError, match=r"no folder .*validation.images"):
        parts(tmp_path)


def test_folder_names_and_suffix_are_options(tmp_path: Path) -> None:
    for number in range(4):
        for kind, suffix in (("Bilder", ""), ("Läsionen", "_Segmentation")):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(tmp_path / kind / f"{number}{suffix}.png")
    cut = parts(tmp_path, images="Bilder", masks="Läsionen", mask_suffix="_segmentation", test_share=0.25)
    assert sorted(chain(*cut.values())) == ["0", "1", "2", "3"]


def test_a_root_without_images_says_what_to_give(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    with pytest.raises(
        InputError, match=r"images has no image\. Give a folder with the two folders images/ and masks/"
    ):
        parts(tmp_path)


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_a_root_without_one_of_the_two_folders_names_it(flat: Path, missing: str) -> None:
    shutil.rmtree(flat / missing)
    with pytest.raises(InputError, match=rf"no folder .*{missing}; check data\.root"):
        parts(flat)


def test_too_few_images_to_cut_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, "a", "b")
    with pytest.raises(InputError, match="2 images are too few"):
        parts(tmp_path)


@pytest.mark.parametrize(("validation", "test"), [(0, 0.1), (-0.1, 0.1), (0.2, -0.1), (0.5, 0.5), (1.0, 0)])
def test_shares_out_of_range_are_refused(flat: Path, validation: float, test: float) -> None:
    with pytest.raises(InputError, match=r"validation_share is .*test_share .*; allowed: validation above 0"):
        parts(flat, validation_share=validation, test_share=test)


def test_a_root_given_as_text_is_as_good_as_a_path(flat: Path) -> None:
    assert [pair.id for pair in Folder(**(OPTIONS | {"root": str(flat)})).samples("test")] == parts(flat)["test"]
