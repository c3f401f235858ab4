"""What every data source must do, whoever wrote it: add `conf/data/mine.yaml`, say below how its files lie, and it is
tested here."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.check import build
from lesionseg.checkpoint import build_stored
from lesionseg.config import CONF
from lesionseg.data.source import PARTS, Source
from lesionseg.errors import InputError

NAMES = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))


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


def lay_out_isic2017(root: Path) -> dict[str, Any]:
    for part, count in {"Training": 3, "Validation": 2, "Test_v2": 2}.items():
        for number in range(count):
            name = f"ISIC_{part}_{number}"
            images, masks = root / f"ISIC-2017_{part}_Data", root / f"ISIC-2017_{part}_Part1_GroundTruth"
            write_pair(images / f"{name}.jpg", masks / f"{name}_segmentation.png")
    return {"root": str(root)}


def lay_out_synthetic(_: Path) -> dict[str, Any]:
    return {"size": 32, "train": 3, "validation": 2, "test": 2}


LAYOUTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "folder": lay_out_folder,
    "isic2017": lay_out_isic2017,
    "synthetic": lay_out_synthetic,
}


@pytest.fixture(params=NAMES)
def node(request: pytest.FixtureRequest, tmp_path: Path, compose) -> DictConfig:  # type: ignore[no-untyped-def]
    if request.param not in LAYOUTS:
        pytest.fail(f"conf/data/{request.param}.yaml is new: say in LAYOUTS how its files lie")
    options = LAYOUTS[request.param](tmp_path / "data")
    return OmegaConf.merge(compose([f"data={request.param}"]), {"data": options}).data


@pytest.fixture
def source(node: DictConfig) -> Source:
    return instantiate(node)


def ids(source: Source) -> dict[str, list[str]]:
    return {part: [sample.id for sample in source.samples(part)] for part in PARTS}


def test_ids_are_sorted_and_unique_in_the_whole_source(source: Source) -> None:
    listed = ids(source)
    assert all(members == sorted(members) for members in listed.values())
    everyone = [member for members in listed.values() for member in members]
    assert len(everyone) == len(set(everyone))


def test_every_part_has_the_samples_that_were_laid_out(source: Source) -> None:
    assert all(ids(source).values())


def test_the_same_settings_list_the_same_samples(node: DictConfig) -> None:
    assert ids(instantiate(node)) == ids(instantiate(node))
    assert [list(instantiate(node).samples(part)) for part in PARTS] == [
        list(instantiate(node).samples(part)) for part in PARTS
    ]


@pytest.mark.parametrize("part", PARTS)
def test_samples_keep_the_contract_of_image_and_mask(source: Source, part: str) -> None:
    for sample in source.samples(part):  # type: ignore[arg-type]
        image, mask = sample.read()
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (*mask.shape, 3)
        assert np.unique(mask).tolist() == [0, 1]
        assert np.array_equal(sample.image(), image)
        assert np.array_equal(sample.mask(), mask)


def test_samples_can_be_sent_to_worker_processes(source: Source) -> None:
    for part in PARTS:
        for sample in source.samples(part):
            assert pickle.loads(pickle.dumps(sample)) == sample


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_the_cache_is_an_option_of_every_source(node: DictConfig, cache: str) -> None:
    node.cache = cache
    assert instantiate(node).cache == cache


def test_a_checkpoint_can_rebuild_the_source_from_plain_values(node: DictConfig, source: Source) -> None:
    plain = OmegaConf.to_container(node, resolve=True)
    assert ids(build_stored(plain, Source, "lesionseg.data")) == ids(source)  # type: ignore[arg-type]


def test_a_missing_root_is_refused_with_the_place_and_the_remedy(node: DictConfig, tmp_path: Path) -> None:
    if "root" not in node:
        pytest.skip("this source reads no files")
    node.root = str(tmp_path / "no such folder")
    with pytest.raises(
        InputError, match=r"data\.root is .*there is no folder .*no such folder\. .*data\.root="
    ) as error:
        build("data", node)
    assert str(tmp_path) in str(error.value)
