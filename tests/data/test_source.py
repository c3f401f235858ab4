"""What every data source must do, whoever wrote it: add `conf/data/mine.yaml`, say below how its files lie, and it is
tested here."""

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.check import check
from lesionseg.checkpoint.rebuild import source_of
from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.data.source import SUBSETS, FilePair, Listing, PairingFault, Source
from lesionseg.errors import InputError

NAMES = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
OF_NO_PUBLISHER = {"combined", "folder", "synthetic", "synthetic_small"}
"""Every other source is somebody's work, to be cited and to be fetched."""
WITHOUT_PARTS = {"folder", "ham10000", "ph2"}
"""As they are laid out below; all other sources say which image is in which part."""

Compose = Callable[[list[str]], DictConfig]


def write_pair(image: Path, mask: Path, height: int = 36, width: int = 45) -> None:
    lesion = np.zeros((height, width), np.uint8)
    lesion[10:20, 10:30] = 255
    for path, pixels in ((image, np.dstack([255 - lesion] * 3)), (mask, lesion)):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def lay_out_folder(root: Path) -> dict[str, Any]:
    for number in range(9, 0, -1):
        write_pair(root / "images" / f"{number}.jpg", root / "masks" / f"{number}.png")
    return {"root": str(root)}


def lay_out_official(root: Path, folders: dict[str, tuple[str, str]], suffix: str = "_segmentation") -> dict[str, Any]:
    for part, (images, masks) in folders.items():
        for number in range(3):
            name = f"ISIC_{part}_{number}"
            write_pair(root / images / f"{name}.jpg", root / masks / f"{name}{suffix}.png")
    return {"root": str(root)}


def lay_out_isic2016(root: Path) -> dict[str, Any]:
    name = "ISBI2016_ISIC_Part1_{}"
    parts = {part: (name.format(f"{part}_Data"), name.format(f"{part}_GroundTruth")) for part in ("Training", "Test")}
    return lay_out_official(root, parts, "_Segmentation")


def lay_out_isic2017(root: Path) -> dict[str, Any]:
    parts = ("Training", "Validation", "Test_v2")
    return lay_out_official(
        root, {part: (f"ISIC-2017_{part}_Data", f"ISIC-2017_{part}_Part1_GroundTruth") for part in parts}
    )


def lay_out_isic2018(root: Path) -> dict[str, Any]:
    parts = ("Training", "Validation", "Test")
    return lay_out_official(
        root, {part: (f"ISIC2018_Task1-2_{part}_Input", f"ISIC2018_Task1_{part}_GroundTruth") for part in parts}
    )


def lay_out_ph2(root: Path) -> dict[str, Any]:
    for id_ in ("IMD002", "IMD003", "IMD004"):
        case = root / "PH2 Dataset images" / id_
        write_pair(case / f"{id_}_Dermoscopic_Image" / f"{id_}.bmp", case / f"{id_}_lesion" / f"{id_}_lesion.bmp")
    return {"root": str(root)}


def lay_out_ham10000(root: Path) -> dict[str, Any]:
    masks = root / "HAM10000_segmentations_lesion_tschandl"
    for number in range(1, 5):
        name = f"ISIC_000000{number}"
        write_pair(root / f"HAM10000_images_part_{1 + number % 2}" / f"{name}.jpg", masks / f"{name}_segmentation.png")
    (root / "HAM10000_metadata").write_text("lesion_id,image_id\nHAM_1,ISIC_0000001\nHAM_1,ISIC_0000002\n")
    return {"root": str(root)}


def lay_out_combined(root: Path) -> dict[str, Any]:
    train, test = lay_out_isic2017(root / "isic2017"), lay_out_ph2(root / "ph2")
    return {"train": {"isic2017": train}, "test": {"ph2": test}}


def lay_out_synthetic(_: Path) -> dict[str, Any]:
    return {"size": 32, "train": 3, "validation": 2, "test": 2}


def lay_out_synthetic_small(root: Path) -> dict[str, Any]:
    return lay_out_synthetic(root)


LAYOUTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    name.removeprefix("lay_out_"): function for name, function in globals().items() if name.startswith("lay_out_")
}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def node(name: str, tmp_path: Path, compose: Compose) -> DictConfig:
    if name not in LAYOUTS:
        pytest.fail(f"conf/data/{name}.yaml is new: say in lay_out_{name} how its files lie")
    options = LAYOUTS[name](tmp_path / "data")
    return OmegaConf.merge(compose([f"data={name}"]), {"data": options}).data  # type: ignore[no-any-return]


@pytest.fixture
def source(node: DictConfig) -> Source:
    return build("data", node)  # type: ignore[no-any-return]


def ids(source: Source) -> dict[str, list[str]]:
    return {part: [sample.id for sample in source.samples(part)] for part in SUBSETS}


def test_ids_are_sorted_and_unique_in_the_whole_source(source: Source) -> None:
    listed = ids(source)
    assert all(members == sorted(members) for members in listed.values())
    everyone = [member for members in listed.values() for member in members]
    assert len(everyone) == len(set(everyone))
    assert [sample.id for sample in source.listing().samples()] == sorted(everyone)


def test_there_are_images_to_train_on_and_parts_where_they_were_published(name: str, source: Source) -> None:
    listing = source.listing()
    assert listing.subsets["train"]
    assert listing.official == (name not in WITHOUT_PARTS)
    assert listing.official == bool(listing.subsets["test"])
    assert listing.official or not listing.subsets["validation"]


def test_what_was_laid_out_is_all_that_training_needs(source: Source) -> None:
    source.require()
    assert list(source.listing().faults) == []


def test_the_same_settings_list_the_same_samples(node: DictConfig) -> None:
    first, second = build("data", node).listing(), build("data", node).listing()
    assert first.samples() == second.samples()
    assert first.ids() == second.ids()


def test_samples_keep_the_contract_of_image_and_mask(source: Source) -> None:
    for sample in source.listing().samples():
        image, mask = sample.read()
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (*mask.shape, 3)
        assert np.unique(mask).tolist() == [0, 1]
        assert np.array_equal(sample.image(), image)
        assert np.array_equal(sample.mask(), mask)
        assert all(path.is_file() for path in sample.files)


def test_samples_keep_the_contract_at_the_networks_size(source: Source) -> None:
    for sample in source.listing().samples():
        image, mask, share = sample.read_resized(32)
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (32, 32, 3)
        assert mask.shape == (32, 32)
        assert set(np.unique(mask)) <= {0, 1}
        assert share == pytest.approx(sample.mask().mean())


def test_samples_and_sources_can_be_sent_to_worker_processes(source: Source) -> None:
    samples = source.listing().samples()
    assert pickle.loads(pickle.dumps(samples)) == samples
    assert ids(pickle.loads(pickle.dumps(source))) == ids(source)


@pytest.mark.parametrize("cache", ["disk", "memory", "none"])
def test_the_cache_is_an_option_of_every_source(name: str, node: DictConfig, cache: str) -> None:
    if name.startswith("synthetic") and cache == "disk":
        pytest.skip("drawn images have no files to know them by; see test_synthetic.py")
    node.cache = cache
    assert build("data", node).cache == cache


def test_a_checkpoint_can_rebuild_the_source_from_plain_values(node: DictConfig, source: Source) -> None:
    plain = OmegaConf.to_container(node, resolve=True)
    rebuilt = source_of({"lesionseg": {"config": {"data": plain}}})
    assert type(rebuilt) is type(source)
    assert rebuilt.listing().ids() == source.listing().ids()
    settings = ("split", "validation_share", "test_share", "folds", "fold", "split_seed", "leaks", "cache")
    assert all(getattr(rebuilt, setting) == getattr(source, setting) for setting in settings)


def test_a_missing_root_is_refused_with_the_place_and_the_remedy(node: DictConfig, tmp_path: Path) -> None:
    holder = node.train.isic2017 if isinstance(node.get("train"), DictConfig) else node
    if "root" not in holder:
        pytest.skip("this source reads no files")
    holder.root = str(tmp_path / "no such folder")
    source = build("data", node)
    message = r"data\.root is .*there is no folder .*no such folder\. .*data\.root="
    with pytest.raises(InputError, match=message) as error:
        source.require()
    assert str(tmp_path) in str(error.value)
    with pytest.raises(InputError, match=message):
        source.listing()


def test_the_class_is_a_data_sheet(name: str, compose: Compose) -> None:
    sheet = inspect.getdoc(get_class(compose([f"data={name}"]).data._target_)) or ""
    assert "Licence" in sheet
    if name not in OF_NO_PUBLISHER:
        assert "Cite " in sheet
        assert "Get it:" in sheet


def test_where_to_get_it_is_said_by_every_source_that_has_a_root(name: str, compose: Compose) -> None:
    node = compose([f"data={name}"]).data
    how_to_get = get_class(node._target_).HOW_TO_GET  # type: ignore[attr-defined]
    assert ("data.root=" in how_to_get) == ("root" in node)


# Settings that every source has


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "random"}, r"data\.split is random; allowed: official, hold_out, seven_three, auto, or the \.json"),
        ({"split": "split.yaml"}, r"data\.split is split\.yaml; allowed: "),
        ({"validation_share": 0}, r"data\.validation_share is 0.*; allowed: validation above 0"),
        ({"validation_share": -0.1}, r"data\.validation_share is -0\.1 "),
        ({"test_share": -0.1}, r"data\.test_share -0\.1; allowed: .*test at least 0"),
        ({"validation_share": 0.5, "test_share": 0.5}, r"0\.5 .* 0\.5; allowed: .*both together below 1"),
        ({"validation_share": 1.0, "test_share": 0}, r"data\.validation_share is 1\.0 "),
        ({"folds": 1}, r"data\.folds is 1; allowed: at least 2"),
        ({"folds": 0, "fold": 0}, r"data\.folds is 0; allowed: at least 2"),
        ({"fold": 5}, r"data\.fold is 5; allowed: 0 to 4 \(data\.folds=5\), or null"),
        ({"fold": -1}, r"data\.fold is -1; allowed: 0 to 4"),
        ({"folds": 3, "fold": 3}, r"data\.fold is 3; allowed: 0 to 2 \(data\.folds=3\)"),
        ({"split": "mine.json", "fold": 0}, r"mine\.json is a manifest, which has no folds; remove data\.fold=0"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(node: DictConfig, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"The data settings have faults:\n(.*\n)*.*{message}"):
        build("data", OmegaConf.merge(node, settings))


def test_all_faults_of_the_settings_are_listed_at_once(node: DictConfig) -> None:
    with pytest.raises(InputError) as error:
        build("data", OmegaConf.merge(node, {"split": "x", "validation_share": 0, "folds": 1}))
    assert all(f"\n  - data.{setting} is" in str(error.value) for setting in ("split", "validation_share", "folds"))


@pytest.mark.parametrize(
    "settings",
    [
        {"split": "official"},
        {"split": "hold_out"},
        {"split": "seven_three"},
        {"split": "auto"},
        {"split": "folder/mine.json"},
        {"split": "hold_out", "fold": 0},
        {"fold": 4},
        {"folds": 2, "fold": 1},
        {"validation_share": 0.01, "test_share": 0},
        {"validation_share": 0.49, "test_share": 0.5},
    ],
    ids=str,
)
def test_settings_within_their_ranges_are_taken(node: DictConfig, settings: dict[str, Any]) -> None:
    source = build("data", OmegaConf.merge(node, settings))
    assert {setting: getattr(source, setting) for setting in settings} == settings


# What a source lists


def pair(id_: str) -> FilePair:
    return FilePair(id_, Path(f"{id_}.jpg"), Path(f"{id_}.png"))


def listing(train: str = "", validation: str = "", test: str = "", **settings: Any) -> Listing:
    parts = {"train": train, "validation": validation, "test": test}
    return Listing({part: [pair(id_) for id_ in ids.split()] for part, ids in parts.items()}, official=True, **settings)


def test_a_listing_in_order_is_returned_as_it_is() -> None:
    whole = listing("b d", "a", "c")
    assert whole.checked() is whole
    assert [sample.id for sample in whole.samples()] == ["a", "b", "c", "d"]
    assert whole.ids() == {"train": ["b", "d"], "validation": ["a"], "test": ["c"]}


@pytest.mark.parametrize(
    ("parts", "overlaps"),
    [
        (("a b", "b", ""), ["b is in train and in validation"]),
        (("a", "", "a"), ["a is in train and in test"]),
        (("x", "a", "a"), ["a is in validation and in test"]),
        (("a", "a", "a"), ["a is in train and in validation", "a is in validation and in test"]),
        (("a a", "", ""), ["a is in train and in train"]),
        (("a b c", "a", "c"), ["a is in train and in validation", "c is in train and in test"]),
    ],
    ids=str,
)
def test_every_id_of_several_parts_is_named(parts: tuple[str, str, str], overlaps: list[str]) -> None:
    with pytest.raises(InputError) as error:
        listing(*parts).checked()
    title = "The subsets overlap; take each image out of all subsets but one:"
    assert str(error.value) == "\n".join([title, *(f"  - {overlap}" for overlap in overlaps)])


def test_every_file_without_a_pair_is_named() -> None:
    faults = [PairingFault("image_without_mask", id_, Path(id_), f"{id_} has no mask") for id_ in ("x", "y")]
    with pytest.raises(InputError) as error:
        listing("a", faults=faults).checked()
    title = "Images and masks do not pair up; add the missing files or take the others out:"
    assert str(error.value) == f"{title}\n  - x has no mask\n  - y has no mask"


def test_its_yaml_passes_check(name: str, node: DictConfig, compose) -> None:  # type: ignore[no-untyped-def]
    cfg = compose([f"data={name}"])
    cfg.data = node
    check(cfg)
