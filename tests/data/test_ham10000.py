"""HAM10000 as people have it: two folders of images, one of masks, and a table that tells lesions apart."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.build import build
from lesionseg.data.published import Ham10000
from lesionseg.errors import InputError

# The names are the publishers' own, written out here and not taken from the code.
MASKS = "HAM10000_segmentations_lesion_tschandl"
ROWS = [
    ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"],
    ["HAM_0000118", "ISIC_0027419", "bkl", "histo", "80.0", "male", "scalp"],
    ["HAM_0000118", "ISIC_0025030", "bkl", "histo", "80.0", "male", "scalp"],
    ["HAM_0002730", "ISIC_0026769", "bkl", "histo", "80.0", "male", "scalp"],
]
GROUPS = {"ISIC_0025030": "HAM_0000118", "ISIC_0026769": "HAM_0002730", "ISIC_0027419": "HAM_0000118"}

Open = Callable[[Path], Ham10000]


@pytest.fixture
def ham10000(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a root with the settings of conf/data/ham10000.yaml."""
    node = compose(["data=ham10000"]).data
    return lambda root: build("data", node, root=root)


def write(root: Path, id_: str, images: str) -> None:
    for path in (root / images / f"{id_}.jpg", root / MASKS / f"{id_}_segmentation.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4)).save(path)


def write_table(path: Path, delimiter: str = ",") -> None:
    path.write_text("\n".join(delimiter.join(row) for row in ROWS))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "ISIC_0027419", "HAM10000_images_part_2")
    write(tmp_path, "ISIC_0025030", "HAM10000_images_part_1")
    write(tmp_path, "ISIC_0026769", "HAM10000_images_part_1")
    write_table(tmp_path / "HAM10000_metadata")
    return tmp_path


def groups(source: Ham10000) -> dict[str, str | None]:
    return {sample.id: sample.group for sample in source.samples("train")}


def test_images_of_both_folders_are_listed_and_no_part_is_official(root: Path, ham10000: Open) -> None:
    ham10000(root).require()
    listing = ham10000(root).listing().checked()
    assert listing.ids() == {"train": sorted(GROUPS), "validation": [], "test": []}
    assert not listing.official


def test_pictures_of_one_lesion_are_one_group(root: Path, ham10000: Open) -> None:
    assert groups(ham10000(root)) == GROUPS


def test_images_come_with_the_masks_of_their_own_name(root: Path, ham10000: Open) -> None:
    assert ham10000(root).samples("train")[2].files == (
        root / "HAM10000_images_part_2" / "ISIC_0027419.jpg",
        root / MASKS / "ISIC_0027419_segmentation.png",
    )


def test_kaggles_names_of_the_folders_are_understood(root: Path, ham10000: Open) -> None:
    for number in (1, 2):
        (root / f"HAM10000_images_part_{number}").rename(root / f"HAM10000_images_part{number}")
    ham10000(root).require()
    assert groups(ham10000(root)) == GROUPS


def test_masks_may_be_in_a_folder_within_the_folder(root: Path, ham10000: Open) -> None:
    (root / MASKS).rename(root / "inner")
    (root / MASKS).mkdir()
    (root / "inner").rename(root / MASKS / MASKS)
    ham10000(root).require()
    assert groups(ham10000(root)) == GROUPS


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("HAM10000_metadata", ","),
        ("HAM10000_metadata", "\t"),
        ("HAM10000_metadata.csv", ","),
        ("HAM10000_metadata.csv", ";"),
        ("HAM10000_metadata.tab", "\t"),
        ("HAM10000_metadata.txt", ","),
    ],
)
def test_the_table_comes_under_several_names(root: Path, ham10000: Open, name: str, delimiter: str) -> None:
    (root / "HAM10000_metadata").unlink()
    write_table(root / name, delimiter)
    assert groups(ham10000(root)) == GROUPS


@pytest.mark.parametrize("name", ["HAM10000_metadata", MASKS])
@pytest.mark.parametrize("check", [Ham10000.require, Ham10000.listing])
def test_what_is_missing_is_named_with_where_to_get_it(
    root: Path, ham10000: Open, name: str, check: Callable[[Ham10000], object]
) -> None:
    (root / name).rename(root.parent / f"{root.name} elsewhere")
    with pytest.raises(InputError, match=rf"{root} has no {name}\. Download .*https://doi\.org/10\.7910/DVN/DBW86T"):
        check(ham10000(root))


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path, ham10000: Open) -> None:
    with pytest.raises(InputError, match=rf"has no HAM10000_images_part_\*, {MASKS}, HAM10000_metadata\."):
        ham10000(tmp_path).require()


def test_a_missing_root_says_where_it_looked(tmp_path: Path, ham10000: Open) -> None:
    with pytest.raises(InputError, match=rf"no folder {tmp_path / 'gone'}\. Download HAM10000_images_part_1"):
        ham10000(tmp_path / "gone").require()


def test_without_the_second_half_of_the_images_their_masks_are_named(root: Path, ham10000: Open) -> None:
    shutil.rmtree(root / "HAM10000_images_part_2")
    listing = ham10000(root).listing()
    assert [(fault.kind, fault.id) for fault in listing.faults] == [("mask_without_image", "ISIC_0027419")]
    assert listing.ids()["train"] == ["ISIC_0025030", "ISIC_0026769"]


def test_an_image_in_both_folders_is_named(root: Path, ham10000: Open) -> None:
    shutil.copytree(root / "HAM10000_images_part_2", root / "HAM10000_images_part_1", dirs_exist_ok=True)
    with pytest.raises(InputError, match=r"ISIC_0027419\.jpg have the same stem"):
        ham10000(root).samples("train")


def test_images_may_be_given_as_files(root: Path, ham10000: Open) -> None:
    rows = [[row[0], rf"D:\ham\{row[1].lower()}.JPG", *row[2:]] for row in ROWS[1:]]
    (root / "HAM10000_metadata").write_text("\n".join(",".join(row) for row in [ROWS[0], *rows]))
    assert groups(ham10000(root)) == GROUPS


def test_a_table_of_other_images_is_refused(root: Path, ham10000: Open) -> None:
    (root / "HAM10000_metadata").write_text("lesion_id,image_id\nHAM_0000118,ISIC_0034320\n")
    with pytest.raises(InputError, match=r"the table has ISIC_0034320; the images are ISIC_0025030, ISIC_0026769"):
        ham10000(root).listing()


def test_images_that_the_table_lacks_are_listed(root: Path, ham10000: Open) -> None:
    (root / "HAM10000_metadata").write_text("lesion_id,image_id\nHAM_0000118,ISIC_0025030\n")
    assert ham10000(root).listing().ungrouped == ["ISIC_0026769", "ISIC_0027419"]


def test_an_image_of_two_lesions_is_refused(root: Path, ham10000: Open) -> None:
    with (root / "HAM10000_metadata").open("a") as file:
        file.write("\nHAM_0000001,ISIC_0025030.jpg\n")
    with pytest.raises(InputError, match=r"ISIC_0025030 = ISIC_0025030\.jpg: lesion_id HAM_0000118 or HAM_0000001"):
        ham10000(root).listing()


def test_another_table_than_that_of_the_lesions_is_refused(root: Path, ham10000: Open) -> None:
    (root / "HAM10000_metadata").write_text("image_id,dx\nISIC_0027419,bkl\n")
    with pytest.raises(InputError, match="has no column lesion_id; found: image_id, dx"):
        ham10000(root).listing()


def test_there_are_10015_images() -> None:
    assert Ham10000.OFFICIAL_COUNTS == {"train": 10015}
