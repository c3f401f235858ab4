"""Your own images: one folder, or folders that say themselves which part they are."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.build import build
from lesionseg.data.folder import Folder
from lesionseg.data.source import PARTS
from lesionseg.errors import InputError

Open = Callable[..., Folder]


@pytest.fixture
def folder(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a root with the settings of conf/data/folder.yaml, some of them changed."""
    node = compose(["data=folder"]).data
    return lambda root, **changes: build("data", node, root=root, **changes)


def write_pairs(root: Path, *stems: str, images: str = "images", masks: str = "masks", suffix: str = "") -> None:
    for kind, ending in ((images, ""), (masks, suffix)):
        (root / kind).mkdir(parents=True, exist_ok=True)
        for stem in stems:
            Image.new("L", (4, 4)).save(root / kind / f"{stem}{ending}.png")


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    write_pairs(tmp_path, "b", "a", "c d")
    return tmp_path


def parts(source: Folder) -> dict[str, list[str]]:
    return {part: [sample.id for sample in source.samples(part)] for part in PARTS}


def test_one_folder_is_all_training_and_nothing_official(flat: Path, folder: Open) -> None:
    source = folder(flat)
    assert parts(source) == {"train": ["a", "b", "c d"], "validation": [], "test": []}
    assert not source.listing().official


def test_explicit_folders_are_the_parts(flat: Path, folder: Open) -> None:
    """Loose images beside them count for nothing."""
    write_pairs(flat / "train", "x", "y")
    write_pairs(flat / "validation", "z")
    write_pairs(flat / "test", "w")
    source = folder(flat)
    assert parts(source) == {"train": ["x", "y"], "validation": ["z"], "test": ["w"]}
    assert source.listing().official


def test_without_a_test_folder_there_is_no_test_part(tmp_path: Path, folder: Open) -> None:
    write_pairs(tmp_path / "train", "a", "b")
    write_pairs(tmp_path / "validation", "c")
    assert parts(folder(tmp_path)) == {"train": ["a", "b"], "validation": ["c"], "test": []}


def test_a_missing_validation_folder_is_refused_and_not_cut_from_training(tmp_path: Path, folder: Open) -> None:
    write_pairs(tmp_path / "train", *"abcdefgh")
    with pytest.raises(InputError, match=r"no folder .*validation.images"):
        folder(tmp_path).require()


def test_half_a_test_folder_is_a_mistake(tmp_path: Path, folder: Open) -> None:
    for part in PARTS:
        write_pairs(tmp_path / part, part)
    shutil.rmtree(tmp_path / "test" / "masks")
    with pytest.raises(InputError, match=r"no folder .*test.masks"):
        folder(tmp_path).require()


def test_an_image_in_two_parts_is_refused(tmp_path: Path, folder: Open) -> None:
    for part, stems in {"train": "ab", "validation": "cb", "test": "d"}.items():
        write_pairs(tmp_path / part, *stems)
    with pytest.raises(InputError, match=r"The parts overlap.*\n  - b is in train and in validation"):
        folder(tmp_path).samples("train")


def test_folder_names_and_suffix_are_options(tmp_path: Path, folder: Open) -> None:
    write_pairs(tmp_path, "1", "2", images="Bilder", masks="Läsionen", suffix="_Segmentation")
    source = folder(tmp_path, images="Bilder", masks="Läsionen", mask_suffix="_segmentation")
    assert parts(source)["train"] == ["1", "2"]


def test_files_that_do_not_pair_up_are_named(flat: Path, folder: Open) -> None:
    (flat / "masks" / "a.png").unlink()
    (flat / "images" / "b.png").unlink()
    source = folder(flat)
    source.require()
    assert [sample.id for sample in source.listing().samples()] == ["c d"]
    with pytest.raises(InputError) as error:
        source.samples("train")
    assert "a.png has no mask a.*" in str(error.value)
    assert "b.png has no image b.*" in str(error.value)


def test_a_root_without_images_says_what_to_give(tmp_path: Path, folder: Open) -> None:
    write_pairs(tmp_path)
    with pytest.raises(
        InputError, match=r"images has no image\. Give a folder with the two folders images/ and masks/"
    ):
        folder(tmp_path).require()


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_a_root_without_one_of_the_two_folders_names_it(flat: Path, folder: Open, missing: str) -> None:
    shutil.rmtree(flat / missing)
    with pytest.raises(InputError, match=rf"no folder {flat / missing}; check data\.root"):
        folder(flat).require()


def test_a_missing_root_says_where_it_looked_and_what_to_give(tmp_path: Path, folder: Open) -> None:
    with pytest.raises(InputError, match=rf"there is no folder {tmp_path / 'gone'}\. Give a folder with"):
        folder(tmp_path / "gone").require()


def test_a_root_given_as_text_is_as_good_as_a_path(flat: Path, folder: Open) -> None:
    assert parts(folder(str(flat))) == parts(folder(flat))


# Groups


def groups(source: Folder) -> dict[str, str | None]:
    return {sample.id: sample.group for sample in source.listing().samples()}


def test_without_a_table_no_image_has_a_group(flat: Path, folder: Open) -> None:
    assert groups(folder(flat)) == {"a": None, "b": None, "c d": None}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["", ".png"])
def test_a_table_groups_images_of_a_lesion(
    flat: Path, folder: Open, delimiter: str, encoding: str, ending: str
) -> None:
    rows = [("image_id", "lesion_id"), (f"a{ending}", "L1"), (f"c d{ending}", "L1")]
    (flat / "lesions.csv").write_text("\n".join(delimiter.join(row) for row in rows), encoding=encoding)
    assert groups(folder(flat, groups="lesions.csv")) == {"a": "L1", "b": None, "c d": "L1"}


def test_the_tables_columns_are_options(flat: Path, folder: Open) -> None:
    (flat / "patients.csv").write_text("Patient,Bild\nP1,a\nP2,b\n", encoding="utf-8")
    options: dict[str, Any] = {"groups": "patients.csv", "group_id_column": "Bild", "group_column": "Patient"}
    assert groups(folder(flat, **options)) == {"a": "P1", "b": "P2", "c d": None}


def test_one_table_serves_all_parts(tmp_path: Path, folder: Open) -> None:
    write_pairs(tmp_path / "train", "a")
    write_pairs(tmp_path / "validation", "b")
    (tmp_path / "lesions.csv").write_text("image_id,lesion_id\na,L1\nb,L1\n")
    assert groups(folder(tmp_path, groups="lesions.csv")) == {"a": "L1", "b": "L1"}


def test_a_table_without_the_column_names_it(flat: Path, folder: Open) -> None:
    (flat / "lesions.csv").write_text("image_id,patient\na,P1\n")
    with pytest.raises(InputError, match=r"lesions\.csv: has no column lesion_id; found: image_id, patient"):
        folder(flat, groups="lesions.csv").require()


def test_a_missing_table_is_named(flat: Path, folder: Open) -> None:
    with pytest.raises(InputError, match=r"lesions\.csv: cannot be read as a table"):
        folder(flat, groups="lesions.csv").require()
