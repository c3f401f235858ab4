"""The official ISIC 2016 download: capital letters in mask names, and no validation part."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.build import build
from lesionseg.data.published import Isic2016
from lesionseg.data.source import SUBSETS
from lesionseg.errors import InputError

# The names are the challenge's own, written out here and not taken from the code.
FOLDERS = {
    "train": ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),
    "test": ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
}
MEMBERS = {"train": ["ISIC_0000000", "ISIC_0000001"], "validation": [], "test": ["ISIC_0000003"]}

Open = Callable[[Path], Isic2016]


@pytest.fixture
def isic2016(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a root with the settings of conf/data/isic2016.yaml."""
    node = compose(["data=isic2016"]).data
    return lambda root: build("data", node, root=root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part, (images, masks) in FOLDERS.items():
        (tmp_path / images).mkdir()
        (tmp_path / masks).mkdir()
        for id_ in MEMBERS[part]:
            Image.new("RGB", (12, 8)).save(tmp_path / images / f"{id_}.jpg")
            Image.new("L", (12, 8)).save(tmp_path / masks / f"{id_}_Segmentation.png")
    return tmp_path


def ids(source: Isic2016) -> dict[str, list[str]]:
    return {part: [sample.id for sample in source.samples(part)] for part in SUBSETS}


def test_the_official_parts_are_kept_and_validation_is_left_to_be_cut(root: Path, isic2016: Open) -> None:
    source = isic2016(root)
    source.require()
    assert ids(source) == MEMBERS
    assert source.listing().official
    assert source.split == "official"


def test_the_spelling_of_later_years_is_understood_too(root: Path, isic2016: Open) -> None:
    masks = root / "ISBI2016_ISIC_Part1_Training_GroundTruth"
    (masks / "ISIC_0000000_Segmentation.png").rename(masks / "ISIC_0000000_segmentation.png")
    assert ids(isic2016(root)) == MEMBERS


def test_without_the_test_archives_the_test_part_is_empty(root: Path, isic2016: Open) -> None:
    for name in FOLDERS["test"]:
        shutil.rmtree(root / name)
    isic2016(root).require()
    assert ids(isic2016(root)) == MEMBERS | {"test": []}


@pytest.mark.parametrize("name", FOLDERS["test"])
def test_half_of_the_test_archives_is_a_mistake(root: Path, isic2016: Open, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError, match=rf"no folder {root / name}"):
        isic2016(root).listing()


@pytest.mark.parametrize("name", FOLDERS["train"])
def test_a_missing_folder_is_named_with_where_to_get_it(root: Path, isic2016: Open, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError) as error:
        isic2016(root).require()
    assert str(error.value).startswith(f"{root} has no folder {name}. ")
    assert "lesionseg.download data=isic2016" in str(error.value)
    assert "https://challenge.isic-archive.com/data/#2016" in str(error.value)


def test_a_missing_mask_is_named_in_any_spelling(root: Path, isic2016: Open) -> None:
    (root / "ISBI2016_ISIC_Part1_Test_GroundTruth" / "ISIC_0000003_Segmentation.png").unlink()
    with pytest.raises(InputError, match=r"ISIC_0000003\.jpg has no mask ISIC_0000003_segmentation"):
        isic2016(root).samples("train")


def test_the_four_official_archives_and_numbers_are_known() -> None:
    assert set(Isic2016.ARCHIVES) == {f"2016/{name}.zip" for folders in FOLDERS.values() for name in folders}
    assert Isic2016.OFFICIAL_COUNTS == {"train": 900, "test": 379}
