"""What tests of several packages share."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.isic2017 import FOLDERS

# Tests run side by side (pytest -n 2) on tensors too small to share between threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Compose = Callable[[Sequence[str]], DictConfig]
MakeSource = Callable[..., Any]
DrawPairs = Callable[..., Path]
Exported = Callable[[str], Path]


@pytest.fixture(scope="session", autouse=True)
def _no_test_writes_the_users_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESIONSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    """Composes `conf/train.yaml` with a command line's overrides; the run's folder is the test's own."""

    def from_overrides(overrides: Sequence[str]) -> DictConfig:
        cfg = _composed(tuple(overrides)).copy()
        cfg.run_dir = str(tmp_path)
        return cfg

    return from_overrides


@functools.cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    """Composing takes 0.2 s, which contract tests would spend once a test."""
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=[*overrides, "run_dir=unset"])


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished `experiment=smoke`; not to be written to."""
    from lesionseg.train import train

    folder = tmp_path_factory.mktemp("smoke")
    cfg = _composed(("experiment=smoke",)).copy()
    cfg.run_dir = str(folder)
    train(cfg)
    return folder


@pytest.fixture(scope="session")
def exported(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Exports `smoke_run` once in each format asked for, `exported("onnx")`; the files are not to be written to."""
    needed = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch_export": (), "openvino": ("onnxscript", "openvino")}
    suffixes = {"onnx": ".onnx", "torch_export": ".pt2", "openvino": ".xml"}

    @functools.cache
    def in_format(name: str) -> Path:
        from lesionseg.export import export

        target = tmp_path_factory.mktemp("exported") / f"smoke{suffixes[name]}"
        checkpoint = smoke_run / "checkpoints" / "best.ckpt"
        register_schemas()
        with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            given = [f"checkpoint={checkpoint}", f"format={name}", f"output={target}", "compare_images=3"]
            export(hydra.compose("export", overrides=given))
        return target

    def in_installed_format(name: str) -> Path:
        for module in needed[name]:
            pytest.importorskip(module)
        return in_format(name)

    return in_installed_format


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as users have it: images/ and masks/ of several sizes, masks named `<image>_segmentation.png`."""
    from lesionseg.data.synthetic_image import draw_dermoscopy

    root = tmp_path_factory.mktemp("photographs")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for seed, (width, height) in enumerate([(80, 60), (61, 97), (128, 128), (40, 33)] * 2):
        image, mask = draw_dermoscopy(seed, 128)
        Image.fromarray(image).resize((width, height)).save(root / "images" / f"photo {seed}.jpg")
        Image.fromarray(mask * 255).resize((width, height), Image.Resampling.NEAREST).save(
            root / "masks" / f"photo {seed}_segmentation.png"
        )
    return root


@pytest.fixture(scope="session")
def isic2017_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty folders with the official names, which is all a source looks for before it is asked for samples."""
    root = tmp_path_factory.mktemp("isic2017")
    for names in FOLDERS.values():
        for name in names:
            (root / name).mkdir()
    return root


@pytest.fixture(scope="session")
def source_settings() -> dict[str, Any]:
    """What every source has to be told, at its defaults."""
    files = (CONF / "data" / "common" / f"{name}.yaml" for name in ("reading", "splitting"))
    return {str(key): value for file in files for key, value in OmegaConf.load(file).items()}


@pytest.fixture(scope="session")
def synthetic(source_settings: dict[str, Any]) -> MakeSource:
    """Makes a drawn source from the settings that differ: `synthetic(train=3)`."""
    from lesionseg.data.synthetic import Synthetic

    usual = source_settings | {"cache": "memory", "seed": 0, "size": 40, "train": 10, "validation": 3, "test": 5}
    return lambda **changes: Synthetic(**(usual | changes))


@pytest.fixture(scope="session")
def folder_source(source_settings: dict[str, Any]) -> MakeSource:
    """Makes a source of one's own images: `folder_source(root, split="hold_out")`."""
    from lesionseg.data.folder import Folder

    usual = source_settings | {"images": "images", "masks": "masks", "mask_suffix": "", "split": "auto"}
    usual |= {"groups": None, "group_id_column": "image_id", "group_column": "lesion_id"}
    return lambda root, **changes: Folder(**(usual | {"root": root} | changes))


@pytest.fixture(scope="session")
def draw_pairs() -> DrawPairs:
    """Draws images/ and masks/ below a folder, one pair a stem: `draw_pairs(folder, {"a": 0, "copy of a": 0})`."""
    from lesionseg.data.synthetic_image import draw_dermoscopy

    def draw(folder: Path, seeds: Mapping[str, int], *, size: int = 64) -> Path:
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for stem, seed in seeds.items():
            image, mask = draw_dermoscopy(seed, size)
            Image.fromarray(image).save(folder / "images" / f"{stem}.png")
            Image.fromarray(mask * 255).save(folder / "masks" / f"{stem}.png")
        return folder

    return draw


@pytest.fixture(scope="session")
def evaluation_settings() -> Any:
    """An evaluation's settings as they come, but for few resamples and small pictures."""
    from lesionseg.evaluation.settings import EvaluationSettings

    settings = {str(key): value for key, value in OmegaConf.load(CONF / "evaluation" / "default.yaml").items()}
    del settings["_target_"]
    return EvaluationSettings(**(settings | {"resamples": 200, "picture_size": 32}))
