"""A network that has learnt nothing is noticed on the validation images."""

from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from lesionseg.config.build import build
from lesionseg.data.cache import PixelCache
from lesionseg.data.loader import LesionDataset
from lesionseg.model.segmenter import Segmenter
from lesionseg.training.blank_masks import validation_alarms


class Constant(nn.Module):
    """Gives every pixel the same logit."""

    stride = 1

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, image: Tensor) -> Tensor:
        return torch.full_like(image[:, :1], self.logit)


class Dark(nn.Module):
    """Calls what is darker than the image's mean lesion."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        grey = image.mean(dim=1, keepdim=True)
        return grey.mean(dim=(2, 3), keepdim=True) - grey - 0.3


@pytest.fixture
def validation(compose: Any) -> LesionDataset:
    samples = build("data", compose(["data=synthetic_small"]).data, size=32).listing().samples()[:6]
    return LesionDataset(PixelCache(samples, 32), range(6), augment=None, full_size_masks=False)


def alarms_of(network: nn.Module, validation: LesionDataset) -> list[str]:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True)
    segmenter = Segmenter(network, mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)
    return validation_alarms(trainer, segmenter, validation)


@pytest.mark.parametrize(
    ("logit", "words"), [(-9.0, "Nothing is marked in 6 of 6"), (9.0, "The whole image is marked in 6 of 6")]
)
def test_a_network_that_gives_every_pixel_the_same_answer_raises_an_alarm(
    logit: float, words: str, validation: LesionDataset
) -> None:
    assert words in alarms_of(Constant(logit), validation)[0]


def test_a_network_that_finds_dark_lesions_raises_none(validation: LesionDataset) -> None:
    assert alarms_of(Dark(), validation) == []
