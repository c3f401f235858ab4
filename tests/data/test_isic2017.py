"""The official ISIC 2017 download, as it really looks: with superpixels and tables, and often without the test part."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.build import build
from lesionseg.data.published import Isic2017
from lesionseg.data.source import SUBSETS
from lesionseg.errors import InputError

REAL = Path(os.environ.get("LESIONSEG_ISIC2017", Path(__file__).parents[3] / "shared" / "data" / "isic2017_256"))
# The names are the challenge's own, written out here and not taken from the code.
FOLDERS = {
    "train": ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
    "validation": ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
    "test": ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
}
NEEDED = [*FOLDERS["train"], *FOLDERS["validation"]]
MEMBERS = {"train": ["ISIC_0000000", "ISIC_0000001"], "validation": ["ISIC_0001769"], "test": ["ISIC_0012086"]}

Open = Callable[[Path], Isic2017]


@pytest.fixture
def isic2017(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a root with the settings of conf/data/isic2017.yaml."""
    node = compose(["data=isic2017"]).data
    return lambda root: build("data", node, root=root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part, members in MEMBERS.items():
        images, masks = (tmp_path / name for name in FOLDERS[part])
        images.mkdir()
        masks.mkdir()
        (images / f"{images.name}_metadata.csv").write_text("image_id,age_approximate,sex\n")
        for id_ in members:
            Image.new("RGB", (12, 8)).save(images / f"{id_}.jpg")
            Image.new("RGB", (12, 8)).save(images / f"{id_}_superpixels.png")
            Image.new("1", (12, 8)).save(masks / f"{id_}_segmentation.png")
    return tmp_path


def ids(source: Isic2017) -> dict[str, list[str]]:
    return {part: [sample.id for sample in source.samples(part)] for part in SUBSETS}


def test_the_official_parts_are_kept_and_superpixels_and_tables_passed_over(root: Path, isic2017: Open) -> None:
    source = isic2017(root)
    source.require()
    assert ids(source) == MEMBERS
    assert source.listing().official


def test_images_come_with_the_masks_of_their_own_name(root: Path, isic2017: Open) -> None:
    sample = isic2017(root).samples("train")[1]
    images, masks = FOLDERS["train"]
    assert sample.files == (root / images / "ISIC_0000001.jpg", root / masks / "ISIC_0000001_segmentation.png")


def test_the_spelling_of_2016_is_understood_too(root: Path, isic2017: Open) -> None:
    masks = root / "ISIC-2017_Training_Part1_GroundTruth"
    (masks / "ISIC_0000000_segmentation.png").rename(masks / "ISIC_0000000_Segmentation.png")
    assert ids(isic2017(root)) == MEMBERS


def test_without_the_test_archives_the_test_part_is_empty(root: Path, isic2017: Open) -> None:
    for name in FOLDERS["test"]:
        shutil.rmtree(root / name)
    source = isic2017(root)
    source.require()
    assert ids(source) == MEMBERS | {"test": []}


@pytest.mark.parametrize("name", FOLDERS["test"])
def test_half_of_the_test_archives_is_a_mistake(root: Path, isic2017: Open, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError, match=rf"no folder {root / name}"):
        isic2017(root).listing()


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_folder_is_named_with_where_to_get_it(root: Path, isic2017: Open, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError) as error:
        isic2017(root).require()
    assert str(error.value).startswith(f"{root} has no folder {name}. ")
    assert "lesionseg.download data=isic2017" in str(error.value)
    assert "https://challenge.isic-archive.com/data/#2017" in str(error.value)


def test_all_missing_folders_are_named_at_once(tmp_path: Path, isic2017: Open) -> None:
    with pytest.raises(InputError, match=", ".join(NEEDED)):
        isic2017(tmp_path).require()


@pytest.mark.parametrize("check", [Isic2017.require, Isic2017.listing])
def test_a_missing_root_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, isic2017: Open, check: Callable[[Isic2017], object]
) -> None:
    source = isic2017(tmp_path / "gone")
    with pytest.raises(InputError, match=rf"no folder {tmp_path / 'gone'}\. .*lesionseg\.download data=isic2017"):
        check(source)


def test_a_source_can_be_built_before_its_data_are_there(tmp_path: Path, isic2017: Open) -> None:
    """That is how the data are downloaded to its root."""
    assert Path(isic2017(tmp_path / "gone").root) == tmp_path / "gone"


def test_an_image_whose_mask_was_not_unzipped_is_named(root: Path, isic2017: Open) -> None:
    (root / "ISIC-2017_Training_Part1_GroundTruth" / "ISIC_0000001_segmentation.png").unlink()
    (fault,) = isic2017(root).listing().faults
    assert (fault.kind, fault.id) == ("image_without_mask", "ISIC_0000001")
    with pytest.raises(InputError, match=r"ISIC_0000001\.jpg has no mask ISIC_0000001_segmentation"):
        isic2017(root).samples("train")


def test_faults_of_any_part_are_found_whichever_is_asked_for(root: Path, isic2017: Open) -> None:
    (root / "ISIC-2017_Test_v2_Data" / "ISIC_0012086.jpg").unlink()
    with pytest.raises(InputError, match=r"ISIC_0012086_segmentation\.png has no image"):
        isic2017(root).samples("train")


def test_an_image_of_two_parts_is_named(root: Path, isic2017: Open) -> None:
    for train, validation in zip(FOLDERS["train"], FOLDERS["validation"], strict=True):
        shutil.copytree(root / train, root / validation, dirs_exist_ok=True)
    with pytest.raises(InputError) as error:
        isic2017(root).samples("train")
    assert "ISIC_0000000 is in train and in validation" in str(error.value)
    assert "ISIC_0000001 is in train and in validation" in str(error.value)


def test_the_six_official_archives_and_numbers_are_known() -> None:
    assert set(Isic2017.ARCHIVES) == {f"2017/{name}.zip" for folders in FOLDERS.values() for name in folders}
    assert Isic2017.OFFICIAL_COUNTS == {"train": 2000, "validation": 150, "test": 600}


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real ISIC 2017 is not at {REAL}; set LESIONSEG_ISIC2017")
def test_the_real_download_has_the_official_numbers(isic2017: Open) -> None:
    source = isic2017(REAL)
    source.require()
    assert len(source.samples("train")) == 2000
    validation = source.samples("validation")
    assert len(validation) == 150
    image, mask = validation[0].read()
    assert image.shape == (*mask.shape, 3)
    assert np.unique(mask).tolist() == [0, 1]
