import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError
from lesionseg.exporting.comparing import at_network_size, at_own_size, difference, photographs
from lesionseg.exporting.deployed import Deployed
from lesionseg.model.segmenter import Segmenter


class Everywhere(torch.nn.Module):
    """Gives the logit 0 everywhere: a probability of one half, which is above a threshold of 0.4."""

    stride = 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] * 0


class Shifted:
    """An engine whose results differ from these in known places."""

    def __init__(self, shift: float, wrong: int) -> None:
        self.shift, self.wrong = shift, wrong

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        probability = np.full(images.shape[:3], 0.5, np.float32)
        mask = np.ones(images.shape[:3], np.uint8)
        probability[0, 0, 0] += self.shift
        mask.reshape(-1)[: self.wrong] = 0
        return probability, mask


@pytest.fixture
def deployed() -> Deployed:
    return Deployed(Segmenter(Everywhere(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.4).eval(), 40)


def test_the_largest_difference_and_the_share_of_decisions_are_counted_over_all_batches(deployed: Deployed) -> None:
    batches = [np.zeros((1, 10, 10, 3), np.uint8), np.zeros((1, 10, 30, 3), np.uint8)]
    found = difference(Shifted(-0.25, wrong=3), deployed, batches)  # type: ignore[arg-type]
    assert found.probability == 0.25
    assert found.mask == 6 / 400


def test_a_result_that_is_no_number_is_never_within_a_tolerance(deployed: Deployed) -> None:
    found = difference(Shifted(float("nan"), 0), deployed, [np.zeros((1, 10, 10, 3), np.uint8)] * 2)  # type: ignore[arg-type]
    assert not found.probability <= 1


def test_photographs_are_compared_at_both_sizes() -> None:
    images = [np.zeros((50, 70, 3), np.uint8), np.zeros((90, 40, 3), np.uint8)]
    assert [batch.shape for batch in at_own_size(images)] == [(1, 50, 70, 3), (1, 90, 40, 3)]
    assert at_network_size(images, 32).shape == (2, 32, 32, 3)


# Photographs


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
    folder = {"_target_": "lesionseg.data.published.Isic2017", "root": "/nowhere"}
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
