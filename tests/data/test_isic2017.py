"""The official ISIC 2017 download, as it really looks: with superpixels and tables, and often without the test part."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.isic2017 import FOLDERS, Isic2017
from lesionseg.data.source import PARTS
from lesionseg.errors import InputError

REAL = Path(os.environ.get("LESIONSEG_ISIC2017", Path(__file__).parents[3] / "shared" / "data" / "isic2017_256"))
MEMBERS = {"train": ["ISIC_0000000", "ISIC_0000001"], "validation": ["ISIC_0001769"], "test": ["ISIC_0012086"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The names are the challenge's own, written out here and not taken from the code."""
    for part, id_ in ((part, id_) for part, members in MEMBERS.items() for id_ in members):
        name = {"train": "Training", "validation": "Validation", "test": "Test_v2"}[part]
        images, masks = tmp_path / f"ISIC-2017_{name}_Data", tmp_path / f"ISIC-2017_{name}_Part1_GroundTruth"
        images.mkdir(exist_ok=True)
        masks.mkdir(exist_ok=True)
        Image.new("RGB", (12, 8)).save(images / f"{id_}.jpg")
        Image.new("RGB", (12, 8)).save(images / f"{id_}_superpixels.png")
        Image.new("1", (12, 8)).save(masks / f"{id_}_segmentation.png")
        (images / f"ISIC-2017_{name}_Data_metadata.csv").write_text("image_id,age_approximate,sex\n")
    return tmp_path


def ids(root: Path) -> dict[str, list[str]]:
    source = Isic2017(cache="none", root=root)
    return {part: [sample.id for sample in source.samples(part)] for part in PARTS}


def test_the_official_parts_are_kept_and_superpixels_and_tables_passed_over(root: Path) -> None:
    assert ids(root) == MEMBERS


def test_the_spelling_of_2016_is_understood_too(root: Path) -> None:
    masks = root / "ISIC-2017_Training_Part1_GroundTruth"
    (masks / "ISIC_0000000_segmentation.png").rename(masks / "ISIC_0000000_Segmentation.png")
    assert ids(root) == MEMBERS


def test_without_the_test_archives_the_test_part_is_empty(root: Path) -> None:
    for name in FOLDERS["test"]:
        shutil.rmtree(root / name)
    assert ids(root) == MEMBERS | {"test": []}


@pytest.mark.parametrize("name", FOLDERS["test"])
def test_half_of_the_test_archives_is_a_mistake(root: Path, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError, match=name):
        ids(root)


@pytest.mark.parametrize("name", [*FOLDERS["train"], *FOLDERS["validation"]])
def test_a_missing_folder_is_named_with_where_to_get_it(root: Path, name: str) -> None:
    shutil.rmtree(root / name)
    with pytest.raises(InputError, match=rf"{root} has no folder {name}\. Download .*https://challenge\.isic-archive"):
        Isic2017(cache="none", root=root)


def test_all_missing_folders_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Isic2017(cache="none", root=tmp_path)
    assert all(name in str(error.value) for part in ("train", "validation") for name in FOLDERS[part])


def test_an_image_whose_mask_was_not_unzipped_is_named(root: Path) -> None:
    (root / "ISIC-2017_Training_Part1_GroundTruth" / "ISIC_0000001_segmentation.png").unlink()
    with pytest.raises(InputError, match=r"ISIC_0000001\.jpg has no mask ISIC_0000001_segmentation"):
        ids(root)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real ISIC 2017 is not at {REAL}; set LESIONSEG_ISIC2017")
def test_the_real_download_has_the_official_numbers() -> None:
    source = Isic2017(cache="none", root=REAL)
    assert len(source.samples("train")) == 2000
    validation = source.samples("validation")
    assert len(validation) == 150
    image, mask = validation[0].read()
    assert image.shape == (*mask.shape, 3)
    assert np.unique(mask).tolist() == [0, 1]
