"""What tests of several packages share."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config import CONF, register_schemas
from lesionseg.data.isic2017 import FOLDERS

# Tests run side by side (pytest -n 2) on tensors too small to share between threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Compose = Callable[[Sequence[str]], DictConfig]


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
