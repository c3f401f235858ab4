"""A model without a network, so that what comes out is known from what went in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.config.schema import CONF
from lesionseg.model.engine import ModelFacts
from lesionseg.postprocessing.postprocessing import Postprocessing

SIZE = 64


class DarkIsLesion:
    """Calls a pixel's darkness its probability."""

    def __init__(self, model: str = "a" * 64) -> None:
        self.facts = ModelFacts("dark", SIZE, Postprocessing(threshold=0.5), model, "0", 1.0, frozenset())
        self.device = "paper"
        self.batches: list[int] = []

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert images.shape[1:] == (SIZE, SIZE, 3)
        assert images.dtype == np.uint8
        self.batches.append(len(images))
        return 1 - images.mean(axis=3, dtype=np.float32) / 255

    def second_look(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Sees what the first look sees, unless a test says otherwise."""
        return 1 - images.mean(axis=3, dtype=np.float32) / 255


@pytest.fixture
def engine() -> DarkIsLesion:
    """A model that calls dark pixels lesion."""
    return DarkIsLesion()


@pytest.fixture
def dark_is_lesion(engine: DarkIsLesion, monkeypatch: pytest.MonkeyPatch) -> DarkIsLesion:
    """Stands in for whatever checkpoint is opened."""
    monkeypatch.setattr("lesionseg.prediction.folder_prediction.open_engine", lambda *_, **__: engine)
    return engine


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., DictConfig]:
    """Composes `conf/predict.yaml` for tmp_path/photos and tmp_path/masks, with changes."""
    loaded: Any = OmegaConf.to_container(OmegaConf.load(CONF / "predict.yaml"))
    defaults = {name: value for name, value in loaded.items() if name not in ("defaults", "hydra")}
    defaults |= {"checkpoint": "none.ckpt", "input": str(tmp_path / "photos"), "output": str(tmp_path / "masks")}
    return lambda **changes: OmegaConf.create({**defaults, **changes})


@pytest.fixture
def photograph() -> Callable[..., NDArray[np.uint8]]:
    """Draws a dark disc on light skin: (height, width, 3), with `radius` as a share of the shorter side."""

    def draw(width: int, height: int, *, at: tuple[float, float] = (0.5, 0.5), radius: float = 0.25) -> Any:
        image = np.full((height, width, 3), 253, np.uint8)
        centre = int(at[0] * width), int(at[1] * height)
        cv2.circle(image, centre, int(radius * min(width, height)), (2, 2, 2), -1)
        return image

    return draw


@pytest.fixture
def photos(tmp_path: Path, photograph: Any) -> Path:
    """A folder of five photographs of several kinds and sizes, one of them in a folder of its own."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, (width, height) in {
        "a.jpg": (200, 150),
        "b.png": (64, 64),
        "c.bmp": (31, 90),
        "d.tif": (300, 40),
        "sub/a.jpg": (640, 480),
    }.items():
        Image.fromarray(photograph(width, height)).save(folder / name)
    return folder
