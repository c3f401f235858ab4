"""Your own images: one folder, or folders that say themselves which part they are."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.build import build
from lesionseg.data.folder import Folder
from lesionseg.data.source import SUBSETS
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
    return {part: [sample.id for sample in source.samples(part)] for part in SUBSETS}


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
    with pytest.raises(InputError, match=rf"no folder .*validation \(val, valid\).*data\.root={tmp_path / 'train'}"):
        folder(tmp_path).require()


def test_a_test_folder_alone_leaves_validation_to_be_cut(tmp_path: Path, folder: Open) -> None:
    """As ISIC 2016 was published."""
    write_pairs(tmp_path / "training", "a", "b")
    write_pairs(tmp_path / "testing", "c")
    assert parts(folder(tmp_path)) == {"train": ["a", "b"], "validation": [], "test": ["c"]}
    assert folder(tmp_path).listing().official


def test_half_a_test_folder_is_a_mistake(tmp_path: Path, folder: Open) -> None:
    for part in SUBSETS:
        write_pairs(tmp_path / part, part)
    shutil.rmtree(tmp_path / "test" / "masks")
    with pytest.raises(InputError, match=r"test: no image has a mask\. Found 1 pictures \(test.images.test\.png\)"):
        folder(tmp_path).require()


def test_an_image_in_two_parts_is_refused(tmp_path: Path, folder: Open) -> None:
    for part, stems in {"train": "ab", "validation": "cb", "test": "d"}.items():
        write_pairs(tmp_path / part, *stems)
    with pytest.raises(InputError, match=r"The subsets overlap.*\n  - b is in train and in validation"):
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
    with pytest.raises(InputError, match=r"has no image; .*\. Give a folder with the two folders images/ and masks/"):
        folder(tmp_path).require()


@pytest.mark.parametrize(("missing", "left"), [("images", "masks"), ("masks", "images")])
def test_a_root_without_one_of_the_two_folders_says_what_there_is(
    flat: Path, folder: Open, missing: str, left: str
) -> None:
    shutil.rmtree(flat / missing)
    with pytest.raises(InputError, match=rf"Found 3 pictures \({left}/a\.png, .*none known as a mask"):
        folder(flat).require()
    with pytest.raises(InputError, match=rf"no folder {flat / missing}; check data\.root"):
        folder(flat, **{missing: missing}).require()


def test_a_missing_root_says_where_it_looked_and_what_to_give(tmp_path: Path, folder: Open) -> None:
    with pytest.raises(InputError, match=rf"there is no folder {tmp_path / 'gone'}\. Give a folder with"):
        folder(tmp_path / "gone").require()


def test_a_root_given_as_text_is_as_good_as_a_path(flat: Path, folder: Open) -> None:
    assert parts(folder(str(flat))) == parts(folder(flat))


# Finding out


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / name)
    return root


LAYOUTS: dict[str, tuple[str, str, str]] = {
    "a suffix": ("images/a{}.jpg", "masks/a{}_mask.png", "a{}"),
    "a suffix in capitals": ("images/a{}.JPG", "masks/a{}_MASK.PNG", "a{}"),
    "a suffix of several words": ("images/a{}.jpg", "masks/a{}-ground-truth.png", "a{}"),
    "a suffix that says nothing": ("images/a{}.jpg", "masks/a{}_expert.png", "a{}"),
    "a prefix": ("images/a{}.jpg", "masks/mask_a{}.png", "a{}"),
    "a word on either side": ("img_{}.png", "mask_{}.png", "img_{}"),
    "nnU-Net": ("imagesTr/case_{}_0000.png", "labelsTr/case_{}.png", "case_{}_0000"),
    "other folders": ("JPEGImages/a{}.jpg", "SegmentationClass/a{}.png", "a{}"),
    "folders in German": ("Bilder/a{}.jpg", "Konturen/a{}.png", "a{}"),
    "ISIC": ("ISIC-2017_Training_Data/I_{}.jpg", "ISIC-2017_Training_Part1_GroundTruth/I_{}_segmentation.png", "I_{}"),
    "PH2": ("IMD{0}/IMD{0}_Dermoscopic_Image/IMD{0}.bmp", "IMD{0}/IMD{0}_lesion/IMD{0}_lesion.bmp", "IMD{}"),
    "one folder and a suffix": ("a {}.jpg", "a {} (mask).png", "a {}"),
    "one folder and a suffix that says nothing": ("a{}.png", "a{}_x.png", "a{}"),
    "one folder and a prefix": ("lesion_{}.png", "seg-lesion_{}.png", "lesion_{}"),
    "one folder, two file types": ("a{}.jpg", "a{}.png", "a{}"),
    "masks in a folder, images beside it": ("a{}.jpg", "masks/a{}.png", "a{}"),
    "unpacked twice": ("X/X/a{}.jpg", "X/X/a{}_mask.png", "a{}"),
    "each unpacked twice": ("images/images/a{}.jpg", "masks/masks/a{}.png", "a{}"),
    "folders of patients": ("images/P{}/1.jpg", "masks/P{}/1.png", "P{}_1"),
    "a folder for each image": ("P{}/image.jpg", "P{}/mask.png", "P{}_image"),
    "folders of patients for images alone": ("images/P{0}/a{0}.jpg", "masks/a{}.png", "a{}"),
    "other case": ("images/Lesion{}.jpg", "masks/lesion{}.png", "Lesion{}"),
    "accents as two signs": ("images/le\u0301sion{}.jpg", "masks/l\u00e9sion{}.png", "l\u00e9sion{}"),
    "brackets, commas, equals signs": ("$a [{}], b=1.jpg", "$a [{}], b=1_mask.png", "$a [{}], b=1"),
    "numbers": ("images/{}.jpg", "masks/{}.png", "{}"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_people_have_is_found_out(tmp_path: Path, folder: Open, layout: str) -> None:
    image, mask, id_ = LAYOUTS[layout]
    for number in (1, 2, 11):
        lay(tmp_path, image.format(number), mask.format(number))
    listing = folder(tmp_path).listing().checked()
    found = {pair.id: tuple(str(path.relative_to(tmp_path)) for path in pair.files) for pair in listing.samples()}
    assert found == {id_.format(n): (image.format(n), mask.format(n)) for n in (1, 2, 11)}
    assert listing.passed_over == []


@pytest.mark.parametrize("image", ["images/{}/a{}.jpg", "{}/Photos/a{}.jpg", "{}/a{}.jpg", "X/{}_set/images/a{}.jpg"])
@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Training", "val", "Testing"), ("TRAIN", "Valid", "test")]
)
def test_parts_are_found_in_any_order_of_folders(
    tmp_path: Path, folder: Open, image: str, names: tuple[str, str, str]
) -> None:
    for number, name in enumerate(names):
        file = image.format(name, number)
        other = file.replace("images", "labels").replace("Photos", "gt")
        lay(tmp_path, file, other.replace(".jpg", "_mask.png"))
    assert parts(folder(tmp_path)) == {"train": ["a0"], "validation": ["a1"], "test": ["a2"]}


def test_what_was_found_is_said_in_a_line(tmp_path: Path, folder: Open) -> None:
    lay(tmp_path, *(f"images/{n}.JPG" for n in range(3)), *(f"masks/{n}_mask.png" for n in range(3)))
    (line,) = folder(tmp_path).listing().found
    assert line == f"3 pairs in {tmp_path}: images in images (.jpg); masks in masks (.png), same name + '_mask'"


def test_masks_named_in_two_ways_are_found(tmp_path: Path, folder: Open) -> None:
    lay(tmp_path, *(f"images/{name}.jpg" for name in "abc"), "masks/a.png", "masks/b_mask.png", "masks/seg_c.png")
    assert parts(folder(tmp_path))["train"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "a (1).jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"),  # a copy is no mask
        ("images/1.jpg", "images/2.jpg", "masks/12_mask.png"),  # whose image is missing
        ("images/1.jpg", "images/2.jpg", "images/3.jpg", "masks/x1.png", "masks/y2.png", "masks/z3.png"),
    ],
)
def test_nothing_is_paired_by_a_guess(tmp_path: Path, folder: Open, names: tuple[str, ...]) -> None:
    lay(tmp_path, *names)
    with pytest.raises(
        InputError, match=r"(?s)no image has a mask\. Found .*data\.mask_suffix=.*data\.mask_pattern="
    ) as error:
        folder(tmp_path).require()
    assert names[0] in str(error.value)
    assert f"python -m lesionseg.check_data data=folder data.root={tmp_path}" in str(error.value)


def test_two_masks_of_one_image_are_a_fault_however_they_are_named(tmp_path: Path, folder: Open) -> None:
    lay(tmp_path, *(f"images/{n}.jpg" for n in range(4)), *(f"masks/{n}_mask.png" for n in range(4)))
    lay(tmp_path, "masks/2_segmentation.png")
    listing = folder(tmp_path).listing()
    assert [(fault.kind, fault.id) for fault in listing.faults] == [("masks_of_one_name", "2")]
    assert [pair.id for pair in listing.samples()] == ["0", "1", "3"]


def test_patients_with_equal_file_names_are_not_mixed_up(tmp_path: Path, folder: Open) -> None:
    """Patient 2's mask is missing; patient 1's must not take its place."""
    lay(tmp_path, "images/P1/1.jpg", "images/P2/1.jpg", "masks/P1/1.png")
    listing = folder(tmp_path).listing()
    assert [(pair.id, pair.mask_path.parent.name) for pair in listing.samples()] == [("P1_1", "P1")]
    assert [(fault.kind, fault.id) for fault in listing.faults] == [("image_without_mask", "P2_1")]


def test_wrong_settings_are_answered_with_the_right_one(tmp_path: Path, folder: Open) -> None:
    lay(tmp_path, *(f"images/{n}.jpg" for n in range(3)), *(f"masks/{n}_mask.png" for n in range(3)))
    with pytest.raises(InputError, match=r"Give data\.mask_suffix=_mask \(it pairs 3 images with their masks"):
        folder(tmp_path, mask_suffix="_segmentation").require()
    lay(tmp_path, "masks/0.png")
    with pytest.raises(InputError, match=r"named otherwise; give data\.mask_suffix=null \(it pairs 2 .*same name"):
        folder(tmp_path, mask_suffix="").samples("train")


@pytest.mark.parametrize(
    "settings",
    [
        {"mask_prefix": "p-", "mask_suffix": "_Ax", "masks": "other"},
        {"images": "images", "masks": "other", "mask_prefix": "P-", "mask_suffix": "_ax"},
        {"mask_pattern": "p-{name}_A*.*"},
    ],
)
def test_settings_for_prefix_and_pattern(tmp_path: Path, folder: Open, settings: dict[str, Any]) -> None:
    lay(tmp_path, "images/a.jpg", "other/p-a_Ax.png", "images/b.jpg", "other/p-b_Ax.png")
    pairs = folder(tmp_path, **settings).listing().checked().samples()
    assert [(pair.id, pair.files[1].name) for pair in pairs] == [("a", "p-a_Ax.png"), ("b", "p-b_Ax.png")]


@pytest.mark.parametrize("pattern", ["mask.png", "{name}_{name}.png", "masks/{name}.png"])
def test_a_pattern_without_the_images_name_is_refused(flat: Path, folder: Open, pattern: str) -> None:
    with pytest.raises(InputError, match=r"data\.mask_pattern is .*for example \{name\}_mask"):
        folder(flat, mask_pattern=pattern)
    with pytest.raises(InputError, match=r"leave data\.mask_prefix and data\.mask_suffix out"):
        folder(flat, mask_pattern="{name}.png", mask_suffix="_mask")


def test_pictures_that_are_not_used_are_named(tmp_path: Path, folder: Open) -> None:
    write_pairs(tmp_path, "a")
    lay(tmp_path, "overlays/a.png", "masks/b.png", "images/._a.jpg", "images/a_superpixels.png")
    (tmp_path / "images" / "b.heic").write_bytes(b"")
    listing = folder(tmp_path).listing()
    assert [text.split(": ")[0] for text in listing.passed_over] == [
        str(tmp_path / "images" / "b.heic"),
        str(tmp_path / "overlays" / "a.png"),
    ]
    (fault,) = listing.faults
    assert fault.kind == "mask_without_image"
    assert "b.heic: .heic files are not supported" in fault.text


def test_links_are_followed_but_not_in_circles(tmp_path: Path, folder: Open) -> None:
    lay(tmp_path / "elsewhere", "a.jpg")
    lay(tmp_path / "root", "masks/a.png")
    (tmp_path / "root" / "images").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere")
    assert parts(folder(tmp_path / "root"))["train"] == ["a"]


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
