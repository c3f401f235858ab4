"""Images find their masks by name, and whatever does not fit together is named."""

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.pairing import Pairing, pair_folders
from lesionseg.errors import InputError


def write(path: Path, value: int = 0, size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two images with their masks, written in another order than they are listed."""
    for name in ("b", "a"):
        write(tmp_path / "images" / f"{name}.jpg")
        write(tmp_path / "masks" / f"{name}_segmentation.png")
    return tmp_path / "images", tmp_path / "masks"


def paired(folders: tuple[Path, Path], suffix: str = "_segmentation") -> Pairing:
    return pair_folders([folders[0]], [folders[1]], mask_suffix=suffix)


def names(pairing: Pairing) -> dict[str, tuple[str, str]]:
    return {pair.id: (pair.image_path.name, pair.mask_path.name) for pair in pairing.pairs}


def faults(pairing: Pairing) -> list[tuple[str, str, str]]:
    return [(fault.kind, fault.id, fault.path.name) for fault in pairing.faults]


PAIRS = {"a": ("a.jpg", "a_segmentation.png"), "b": ("b.jpg", "b_segmentation.png")}


def test_pairs_are_found_by_name_and_sorted(folders: tuple[Path, Path]) -> None:
    pairing = paired(folders)
    assert names(pairing) == PAIRS
    assert list(names(pairing)) == ["a", "b"]
    assert pairing.faults == []


@pytest.mark.parametrize(
    "name", ["c_segmentation.png", "c_Segmentation.png", "c_SEGMENTATION.PNG", "c_segmentation.bmp"]
)
def test_the_suffix_counts_in_any_case_and_any_format(folders: tuple[Path, Path], name: str) -> None:
    write(folders[0] / "c.JPG")
    write(folders[1] / name)
    assert names(paired(folders)) == PAIRS | {"c": ("c.JPG", name)}


def test_without_a_suffix_stems_are_equal(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.tif")
    write(tmp_path / "masks" / "a.png")
    pairing = paired((tmp_path / "images", tmp_path / "masks"), suffix="")
    assert names(pairing) == {"a": ("a.tif", "a.png")}


def test_an_image_may_itself_end_in_the_suffix(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a_segmentation.png")
    write(tmp_path / "masks" / "a_segmentation_segmentation.png")
    pairing = paired((tmp_path / "images", tmp_path / "masks"))
    assert names(pairing) == {"a_segmentation": ("a_segmentation.png", "a_segmentation_segmentation.png")}
    assert pairing.faults == []


@pytest.mark.parametrize(
    "name", ["a_superpixels.png", ".a.jpg", "._a.jpg", "Thumbs.db", "metadata.csv", "ATTRIBUTION.txt", "a.json"]
)
def test_other_files_beside_the_images_are_passed_over(folders: tuple[Path, Path], name: str) -> None:
    (folders[0] / name).write_bytes(b"")
    (folders[1] / name).write_bytes(b"")
    pairing = paired(folders)
    assert names(pairing) == PAIRS
    assert pairing.faults == []


def test_pictures_in_folders_further_down_are_passed_over(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "thumbnails" / "a.jpg")
    write(folders[0] / "thumbnails" / "c.jpg")
    assert names(paired(folders)) == PAIRS
    assert paired(folders).faults == []


@pytest.mark.parametrize("name", ["läsion 1", "皮肤", "a.b.c", "100% [x]", "e\u0301"])
def test_spaces_dots_and_unicode_in_names_and_folders(tmp_path: Path, name: str) -> None:
    folders = tmp_path / f"Größe {name}" / "mes images", tmp_path / f"Größe {name}" / "mes masques"
    write(folders[0] / f"{name}.jpg", 200)
    write(folders[1] / f"{name}_segmentation.png", 255)
    (pair,) = paired(folders).pairs
    image, mask = pair.read()
    assert pair.id == unicodedata.normalize("NFC", name)
    assert image.shape == (4, 6, 3)
    assert np.array_equal(mask, np.ones((4, 6)))


def test_an_image_without_mask_is_named_and_the_others_stay(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "lonely.jpg")
    pairing = paired(folders)
    assert names(pairing) == PAIRS
    assert faults(pairing) == [("image_without_mask", "lonely", "lonely.jpg")]
    assert pairing.faults[0].text == f"{folders[0] / 'lonely.jpg'} has no mask lonely_segmentation.*"


def test_a_mask_without_image_is_named_and_the_others_stay(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "orphan_segmentation.png")
    pairing = paired(folders)
    assert names(pairing) == PAIRS
    assert faults(pairing) == [("mask_without_image", "orphan", "orphan_segmentation.png")]
    assert pairing.faults[0].text == f"{folders[1] / 'orphan_segmentation.png'} has no image orphan.*"


def test_two_images_of_one_stem_make_no_pair(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "a.png")
    pairing = paired(folders)
    assert list(names(pairing)) == ["b"]
    assert faults(pairing) == [("images_of_one_name", "a", "a.jpg")]
    both = f"{folders[0] / 'a.jpg'} and {folders[0] / 'a.png'}"
    assert pairing.faults[0].text == f"{both} have the same stem; take one of them out"


def test_two_masks_of_one_image_make_no_pair(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "a_segmentation.bmp")
    pairing = paired(folders)
    assert list(names(pairing)) == ["b"]
    assert faults(pairing) == [("masks_of_one_name", "a", "a_segmentation.bmp")]
    both = f"{folders[1] / 'a_segmentation.bmp'} and {folders[1] / 'a_segmentation.png'}"
    assert pairing.faults[0].text == f"{both} have the same stem; take one of them out"


def test_suffixes_that_differ_only_in_case_claim_the_same_image(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "a_Segmentation.png")
    assert ("masks_of_one_name", "a") in [(fault.kind, fault.id) for fault in paired(folders).faults]


def test_all_faults_are_listed_together(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "lonely.jpg")
    write(folders[1] / "orphan_segmentation.png")
    write(folders[0] / "a.png")
    write(folders[1] / "b_segmentation.tif")
    pairing = paired(folders)
    assert pairing.pairs == []
    assert {(kind, id_) for kind, id_, _ in faults(pairing)} == {
        ("image_without_mask", "lonely"),
        ("mask_without_image", "orphan"),
        ("images_of_one_name", "a"),
        ("masks_of_one_name", "b"),
    }


def test_a_mask_that_lacks_the_suffix_is_no_mask(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "c.jpg")
    write(folders[1] / "c.png")
    assert faults(paired(folders)) == [("image_without_mask", "c", "c.jpg")]


def test_names_that_look_the_same_pair(tmp_path: Path) -> None:
    write(tmp_path / "images" / "le\u0301sion.jpg")
    write(tmp_path / "masks" / "l\u00e9sion.png")
    pairing = paired((tmp_path / "images", tmp_path / "masks"), suffix="")
    assert [pair.id for pair in pairing.pairs] == ["l\u00e9sion"]
    assert pairing.faults == []


def test_a_folder_that_was_unpacked_twice_is_looked_into(tmp_path: Path) -> None:
    write(tmp_path / "images" / "images" / "a.jpg")
    (tmp_path / "images" / "__MACOSX").mkdir()
    write(tmp_path / "masks" / "x" / "masks" / "a_segmentation.png")
    assert names(paired((tmp_path / "images", tmp_path / "masks"))) == {"a": ("a.jpg", "a_segmentation.png")}


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_folder_is_named(folders: tuple[Path, Path], missing: int) -> None:
    shutil.rmtree(folders[missing])
    with pytest.raises(InputError, match=rf"no folder .*{folders[missing].name}; check data.root"):
        paired(folders)


def test_two_folders_that_both_have_an_image_are_noticed(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder / "a.jpg")
    write(tmp_path / "masks" / "a.png")
    pairing = pair_folders([tmp_path / "one", tmp_path / "two"], [tmp_path / "masks"], mask_suffix="")
    assert pairing.pairs == []
    assert faults(pairing) == [("images_of_one_name", "a", "a.jpg")]
