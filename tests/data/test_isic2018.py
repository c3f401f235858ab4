"""The official ISIC 2018 download, whose folders of images serve two tasks."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.build import build
from lesionseg.data.published import Isic2018
from lesionseg.data.source import SUBSETS
from lesionseg.errors import InputError

# The names are the challenge's own, written out here and not taken from the code.
FOLDERS = {
    "train": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    "validation": ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    "test": ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
}
MEMBERS = {"train": ["ISIC_0000000", "ISIC_0016072"], "validation": ["ISIC_0012255"], "test": ["ISIC_0012169"]}

Open = Callable[[Path], Isic2018]


@pytest.fixture
def isic2018(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a root with the settings of conf/data/isic2018.yaml."""
    node = compose(["data=isic2018"]).data
    return lambda root: build("data", node, root=root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part, (images, masks) in FOLDERS.items():
        (tmp_path / images).mkdir()
        (tmp_path / masks).mkdir()
        for folder in (images, masks):
            (tmp_path / folder / "ATTRIBUTION.txt").write_text("CC-BY-NC")
            (tmp_path / folder / "LICENSE.txt").write_text("CC-BY-NC")
        for id_ in MEMBERS[part]:
            Image.new("RGB", (12, 8)).save(tmp_path / images / f"{id_}.jpg")
            Image.new("L", (12, 8)).save(tmp_path / masks / f"{id_}_segmentation.png")
    return tmp_path


def ids(source: Isic2018) -> dict[str, list[str]]:
    return {part: [sample.id for sample in source.samples(part)] for part in SUBSETS}


def test_the_official_parts_are_kept_and_texts_passed_over(root: Path, isic2018: Open) -> None:
    source = isic2018(root)
    source.require()
    assert ids(source) == MEMBERS
    assert source.listing().official


def test_without_the_test_archives_the_test_part_is_empty(root: Path, isic2018: Open) -> None:
    for name in FOLDERS["test"]:
        shutil.rmtree(root / name)
    isic2018(root).require()
    assert ids(isic2018(root)) == MEMBERS | {"test": []}


@pytest.mark.parametrize("name", FOLDERS["test"])
def test_half_of_the_test_archives_is_a_mistake(root: Path, isic2018: Open, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError, match=rf"no folder {root / name}"):
        isic2018(root).listing()


@pytest.mark.parametrize("name", [*FOLDERS["train"], *FOLDERS["validation"]])
def test_a_missing_folder_is_named_with_where_to_get_it(root: Path, isic2018: Open, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError) as error:
        isic2018(root).require()
    assert str(error.value).startswith(f"{root} has no folder {name}. ")
    assert "lesionseg.download data=isic2018" in str(error.value)
    assert "https://challenge.isic-archive.com/data/#2018" in str(error.value)


def test_a_missing_mask_is_named(root: Path, isic2018: Open) -> None:
    (root / "ISIC2018_Task1_Validation_GroundTruth" / "ISIC_0012255_segmentation.png").unlink()
    with pytest.raises(InputError, match=r"ISIC_0012255\.jpg has no mask ISIC_0012255_segmentation"):
        isic2018(root).samples("train")


def test_the_six_official_archives_and_numbers_are_known() -> None:
    assert set(Isic2018.ARCHIVES) == {f"2018/{name}.zip" for folders in FOLDERS.values() for name in folders}
    assert Isic2018.OFFICIAL_COUNTS == {"train": 2594, "validation": 100, "test": 1000}
