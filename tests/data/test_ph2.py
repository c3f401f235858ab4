"""PH2 as its authors send it: a folder for each case, with folders of its own in it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.build import build
from lesionseg.data.published import Ph2
from lesionseg.errors import InputError

LESION = np.array([[0, 1, 1, 0], [0, 0, 1, 0]], np.uint8)

Open = Callable[[Path], Ph2]


@pytest.fixture
def ph2(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a root with the settings of conf/data/ph2.yaml."""
    node = compose(["data=ph2"]).data
    return lambda root: build("data", node, root=root)


def write_case(images: Path, id_: str) -> None:
    """The names are the data set's own: 8-bit photograph, 1-bit mask, coloured regions."""
    pictures = {
        f"{id_}_Dermoscopic_Image/{id_}.bmp": Image.new("RGB", (4, 2), (180, 120, 90)),
        f"{id_}_lesion/{id_}_lesion.bmp": Image.fromarray(LESION * np.uint8(255)).convert("1"),
        f"{id_}_roi/{id_}_R1_Label4.bmp": Image.new("1", (4, 2)),
        f"{id_}_roi/{id_}_R2_Label5.bmp": Image.new("1", (4, 2)),
    }
    for name, picture in pictures.items():
        (images / id_ / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(images / id_ / name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for id_ in ("IMD437", "IMD002", "IMD003"):
        write_case(tmp_path / "PH2 Dataset images", id_)
    (tmp_path / "PH2_dataset.xlsx").write_bytes(b"PK")
    return tmp_path


def test_all_cases_are_listed_and_no_part_is_official(root: Path, ph2: Open) -> None:
    listing = ph2(root).listing().checked()
    assert listing.ids() == {"train": ["IMD002", "IMD003", "IMD437"], "validation": [], "test": []}
    assert not listing.official


def test_each_case_has_its_own_photograph_and_1_bit_mask(root: Path, ph2: Open) -> None:
    sample = ph2(root).samples("train")[0]
    case = root / "PH2 Dataset images" / "IMD002"
    assert sample.files == (
        case / "IMD002_Dermoscopic_Image" / "IMD002.bmp",
        case / "IMD002_lesion" / "IMD002_lesion.bmp",
    )
    image, mask = sample.read()
    assert image[0, 0].tolist() == [180, 120, 90]
    assert np.array_equal(mask, LESION)


@pytest.mark.parametrize("place", [".", "PH2 Dataset images"])
def test_the_root_is_the_folder_of_cases_or_the_one_around_it(root: Path, ph2: Open, place: str) -> None:
    source = ph2(root / place)
    source.require()
    assert [sample.id for sample in source.samples("train")] == ["IMD002", "IMD003", "IMD437"]


def test_the_root_may_be_where_the_archive_was_unpacked(tmp_path: Path, ph2: Open) -> None:
    write_case(tmp_path / "PH2Dataset" / "PH2 Dataset images", "IMD002")
    assert [sample.id for sample in ph2(tmp_path).samples("train")] == ["IMD002"]


@pytest.mark.parametrize(
    ("folder", "kind", "text"),
    [
        ("IMD003_lesion", "image_without_mask", r"IMD003\.bmp has no mask IMD003_lesion\.\*"),
        ("IMD003_Dermoscopic_Image", "mask_without_image", r"IMD003_lesion\.bmp has no image IMD003\.\*"),
    ],
)
def test_half_a_case_is_named_and_the_others_stay(root: Path, ph2: Open, folder: str, kind: str, text: str) -> None:
    shutil.rmtree(root / "PH2 Dataset images" / "IMD003" / folder)
    listing = ph2(root).listing()
    assert listing.ids()["train"] == ["IMD002", "IMD437"]
    assert [(fault.kind, fault.id) for fault in listing.faults] == [(kind, "IMD003")]
    with pytest.raises(InputError, match=text):
        listing.checked()


def test_a_case_without_regions_is_whole(root: Path, ph2: Open) -> None:
    shutil.rmtree(root / "PH2 Dataset images" / "IMD003" / "IMD003_roi")
    assert len(ph2(root).samples("train")) == 3


def test_stray_files_beside_the_cases_are_passed_over(root: Path, ph2: Open) -> None:
    (root / "PH2 Dataset images" / "IMD999.txt").write_text("")
    (root / "PH2 Dataset images" / "Thumbs").mkdir()
    assert len(ph2(root).samples("train")) == 3


@pytest.mark.parametrize("check", [Ph2.require, Ph2.listing])
def test_a_missing_root_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, ph2: Open, check: Callable[[Ph2], object]
) -> None:
    with pytest.raises(InputError, match=rf"no folder {tmp_path / 'gone'}\. Request PH2 .*www\.fc\.up\.pt/addi"):
        check(ph2(tmp_path / "gone"))


@pytest.mark.parametrize("check", [Ph2.require, Ph2.listing])
def test_a_root_without_cases_says_what_was_expected(tmp_path: Path, ph2: Open, check: Callable[[Ph2], object]) -> None:
    with pytest.raises(InputError, match=rf"{tmp_path} has no folder IMD002 .*PH2 Dataset images.* data\.root="):
        check(ph2(tmp_path))


def test_there_are_200_cases_and_none_can_be_downloaded() -> None:
    assert Ph2.OFFICIAL_COUNTS == {"train": 200}
    assert Ph2.ARCHIVES == ()
