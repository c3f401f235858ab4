"""Images find their masks by name, and whatever does not fit together is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.sample import FilePair, pair_by_stem
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


def pairs(folders: tuple[Path, Path], suffix: str = "_segmentation") -> dict[str, tuple[str, str]]:
    found = pair_by_stem(*folders, mask_suffix=suffix, ignored_suffixes=("_superpixels",))
    return {pair.id: (pair.image_path.name, pair.mask_path.name) for pair in found}


def test_pairs_are_found_by_name_and_sorted(folders: tuple[Path, Path]) -> None:
    found = pairs(folders)
    assert found == {"a": ("a.jpg", "a_segmentation.png"), "b": ("b.jpg", "b_segmentation.png")}
    assert list(found) == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["c_segmentation.png", "c_Segmentation.png", "c_SEGMENTATION.PNG", "c_segmentation.bmp"]
)
def test_the_suffix_counts_in_any_case_and_any_format(folders: tuple[Path, Path], name: str) -> None:
    write(folders[0] / "c.JPG")
    write(folders[1] / name)
    assert pairs(folders)["c"] == ("c.JPG", name)


def test_without_a_suffix_stems_are_equal(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.tif")
    write(tmp_path / "masks" / "a.png")
    assert pairs((tmp_path / "images", tmp_path / "masks"), suffix="") == {"a": ("a.tif", "a.png")}


def test_an_image_may_itself_end_in_the_suffix(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a_segmentation.png")
    write(tmp_path / "masks" / "a_segmentation_segmentation.png")
    found = pairs((tmp_path / "images", tmp_path / "masks"))
    assert found == {"a_segmentation": ("a_segmentation.png", "a_segmentation_segmentation.png")}


@pytest.mark.parametrize(
    "name", ["a_superpixels.png", ".a.jpg", "._a.jpg", "Thumbs.db", "metadata.csv", "ATTRIBUTION.txt", "a.json"]
)
def test_other_files_beside_the_images_are_passed_over(folders: tuple[Path, Path], name: str) -> None:
    (folders[0] / name).write_bytes(b"")
    (folders[1] / name).write_bytes(b"")
    assert list(pairs(folders)) == ["a", "b"]


@pytest.mark.parametrize("name", ["läsion 1", "皮肤", "a.b.c", "100% [x]", "e\u0301"])
def test_spaces_dots_and_unicode_in_names_and_folders(tmp_path: Path, name: str) -> None:
    folders = tmp_path / f"Größe {name}" / "mes images", tmp_path / f"Größe {name}" / "mes masques"
    write(folders[0] / f"{name}.jpg", 200)
    write(folders[1] / f"{name}_segmentation.png", 255)
    (pair,) = pair_by_stem(*folders, mask_suffix="_segmentation")
    image, mask = pair.read()
    assert pair.id == name
    assert image.shape == (4, 6, 3)
    assert mask.all()


def test_an_image_without_mask_and_a_mask_without_image_are_named_together(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "lonely.jpg")
    write(folders[1] / "orphan_segmentation.png")
    with pytest.raises(InputError) as error:
        pairs(folders)
    message = str(error.value)
    assert "lonely.jpg has no mask lonely_segmentation.*" in message
    assert "orphan_segmentation.png has no image orphan.*" in message
    assert "add the missing files or take the others out" in message


def test_two_images_of_one_stem_are_refused(folders: tuple[Path, Path]) -> None:
    write(folders[0] / "a.png")
    with pytest.raises(InputError, match=r"a\.jpg and .*a\.png have the same stem; take one of them out"):
        pairs(folders)


def test_two_masks_of_one_image_are_refused(folders: tuple[Path, Path]) -> None:
    write(folders[1] / "a_segmentation.bmp")
    with pytest.raises(InputError, match="have the same stem"):
        pairs(folders)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_folder_is_named(folders: tuple[Path, Path], missing: int) -> None:
    shutil.rmtree(folders[missing])
    with pytest.raises(InputError, match=rf"no folder .*{folders[missing].name}; check data.root"):
        pairs(folders)


def test_a_pair_is_read_together(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    lesion = np.array([[0, 1, 0, 0], [1, 1, 0, 1]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(lesion * np.uint8(255)).save(tmp_path / "m.png")
    image, mask = FilePair("a", tmp_path / "a.png", tmp_path / "m.png").read()
    assert np.array_equal(image, pixels)
    assert np.array_equal(mask, lesion)


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    pair = FilePair("ISIC_7", write(tmp_path / "a.png", size=(6, 4)), write(tmp_path / "m.png", size=(4, 6)))
    with pytest.raises(InputError, match="ISIC_7: the image is 6 x 4 pixels but its mask is 4 x 6; export the mask"):
        pair.read()
