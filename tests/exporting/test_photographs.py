import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionseg.checkpoint.checkpoint import read
from lesionseg.errors import InputError
from lesionseg.exporting.photographs import photographs


@pytest.fixture
def checkpoint(smoke_run: Path) -> dict[str, Any]:
    return copy.deepcopy(read(smoke_run / "checkpoints" / "best.ckpt"))


def test_a_folders_photographs_are_read_at_their_own_size(photographs_folder: Path, checkpoint: dict[str, Any]) -> None:
    origin, images = photographs(photographs_folder, checkpoint, 3)
    assert [image.shape[:2] for image in images] == [(60, 80), (97, 61), (128, 128)]
    assert str(photographs_folder) in origin
    assert images[0].dtype == np.uint8


@pytest.fixture
def photographs_folder(photographs: Path) -> Path:
    return photographs / "images"


def test_without_a_folder_they_are_validation_images(checkpoint: dict[str, Any]) -> None:
    origin, images = photographs(None, checkpoint, 5)
    assert origin == "5 validation images of the checkpoint's own data"
    assert len(images) == 5


def test_without_the_data_they_are_drawn_and_it_says_so(checkpoint: dict[str, Any]) -> None:
    folder = {"_target_": "lesionseg.data.isic2017.Isic2017", "root": "/nowhere"}
    settings = checkpoint["lesionseg"]["config"]["data"]
    for own in ("size", "train", "validation", "test", "seed", "_target_"):
        settings.pop(own, None)
    settings |= folder
    origin, images = photographs(None, checkpoint, 4)
    assert "4 drawn images" in origin
    assert len({image.shape for image in images}) == 3
    assert all(image.min() < image.max() for image in images)


def test_a_folder_without_images_is_no_reason_to_draw_some(tmp_path: Path, checkpoint: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="has no images; allowed"):
        photographs(tmp_path, checkpoint, 4)
    with pytest.raises(InputError, match="there is no folder"):
        photographs(tmp_path / "missing", checkpoint, 4)
    Image.new("RGB", (40, 40)).save(tmp_path / "one.PNG")
    assert len(photographs(tmp_path, checkpoint, 4).images) == 1
