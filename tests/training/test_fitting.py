"""Post-processing is fitted on the validation images alone, and a network that has learnt nothing is noticed there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from lesionseg.config.build import build
from lesionseg.data.cache import PixelCache
from lesionseg.data.loader import LesionDataset
from lesionseg.data.source import Array, Sample
from lesionseg.metrics.definitions import standard_formulas
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.fitting import FittingSettings
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.training.fitting import fit_segmenter, validation_alarms

SIZE = 32


class Dark(nn.Module):
    """Calls dark pixels lesion."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        return -image[:, :1]


@dataclass(frozen=True)
class Drawn(Sample):
    """A dark square on light skin, with a dark speck that is no lesion."""

    def image(self) -> Array:
        image = np.full((2 * SIZE, 2 * SIZE, 3), 250, np.uint8)
        image[20:40, 16:50] = image[:4, :4] = 5
        return image

    def mask(self) -> Array:
        mask = np.zeros((2 * SIZE, 2 * SIZE), np.uint8)
        mask[20:40, 16:50] = 1
        return mask


class Untouchable(Sample):
    """A sample of another part than validation."""

    def image(self) -> Array:
        raise AssertionError(f"{self.id} was read")

    def mask(self) -> Array:
        raise AssertionError(f"{self.id} was read")


@pytest.fixture
def trainer() -> Trainer:
    return Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True)


@pytest.fixture
def segmenter() -> Segmenter:
    return Segmenter(Dark(), mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)


@pytest.fixture
def validation() -> LesionDataset:
    samples = [Untouchable("train_0"), *(Drawn(f"validation_{number}") for number in range(3)), Untouchable("test_0")]
    return LesionDataset(PixelCache(samples, SIZE), [1, 2, 3], augment=None, full_size_masks=False)


SETTINGS: dict[str, Any] = {
    "fit": True,
    "thresholds": [0.4, 0.6],
    "views": ["flips"],
    "largest_component": True,
    "fill_holes": True,
    "min_gain": 0.001,
}


def test_what_helps_on_validation_alone_is_kept_and_used(
    trainer: Trainer, segmenter: Segmenter, validation: LesionDataset
) -> None:
    fitted = fit_segmenter(trainer, segmenter, validation, FittingSettings(**SETTINGS), standard_formulas())
    assert fitted.images == 3
    assert segmenter.postprocessing == fitted.postprocessing == Postprocessing(threshold=0.5, largest_component=True)
    # Its logits are 1.92 and -1.91; it is wrong in the speck alone, 4 pixels of 1,024, which deserves log(1020 / 4).
    assert fitted.temperature == pytest.approx(1.91 / np.log(1020 / 4), rel=0.02)
    assert fitted.record()["temperature"] == fitted.temperature
    scores = {trial.option: (trial.without.jaccard, trial.best.jaccard) for trial in fitted.trials}
    assert scores["largest_component"][1] == pytest.approx(1, abs=0.05)
    assert scores["largest_component"][0] == pytest.approx(680 / (680 + 16), abs=0.05)


def test_probabilities_are_those_of_the_views_that_are_tried(
    trainer: Trainer, segmenter: Segmenter, validation: LesionDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    probability = Segmenter.probability

    def noted(self: Segmenter, image: Tensor) -> Tensor:
        seen.append(self.postprocessing.views)
        assert not self.training
        assert torch.is_inference_mode_enabled()
        return probability(self, image)

    monkeypatch.setattr(Segmenter, "probability", noted)
    fit_segmenter(
        trainer,
        segmenter,
        validation,
        FittingSettings(**(SETTINGS | {"views": ["flips", "turns"]})),
        standard_formulas(),
    )
    assert seen == ["none", "flips", "turns", "none"]


def test_every_process_gets_the_decision_of_the_first(
    trainer: Trainer, segmenter: Segmenter, validation: LesionDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit_segmenter(trainer, segmenter, validation, FittingSettings(**SETTINGS), standard_formulas())
    other = Segmenter(Dark(), mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)
    monkeypatch.setattr(Trainer, "is_global_zero", False)
    monkeypatch.setattr(type(trainer.strategy), "broadcast", lambda self, found, src=0: first)
    samples = [Untouchable("validation_0")]
    untouched = LesionDataset(PixelCache(samples, SIZE), [0], augment=None, full_size_masks=False)
    assert fit_segmenter(trainer, other, untouched, FittingSettings(**SETTINGS), standard_formulas()) == first
    assert other.postprocessing == first.postprocessing


def test_each_image_is_counted_with_the_decision_so_that_nobody_has_to_predict_it_again(
    trainer: Trainer, segmenter: Segmenter, validation: LesionDataset
) -> None:
    settings = FittingSettings(**(SETTINGS | {"thresholds": [], "views": [], "fill_holes": False}))
    fitted = fit_segmenter(trainer, segmenter, validation, settings, standard_formulas())
    assert fitted.postprocessing.largest_component  # so the speck is gone
    assert [sum(one) for one in fitted.image_counts] == [(2 * SIZE) ** 2] * 3
    assert tuple(map(sum, zip(*fitted.image_counts, strict=True))) == tuple(fitted.counts)
    assert all(one.true_positives and one.false_positives < 16 for one in fitted.image_counts)


class Constant(nn.Module):
    """Gives every pixel the same logit."""

    stride = 1

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, image: Tensor) -> Tensor:
        return torch.full_like(image[:, :1], self.logit)


class Darker(nn.Module):
    """Calls what is darker than the image's mean lesion."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        grey = image.mean(dim=1, keepdim=True)
        return grey.mean(dim=(2, 3), keepdim=True) - grey - 0.3


@pytest.fixture
def six_images(compose: Any) -> LesionDataset:
    samples = build("data", compose(["data=synthetic_small"]).data, size=32).listing().samples()[:6]
    return LesionDataset(PixelCache(samples, 32), range(6), augment=None, full_size_masks=False)


def alarms_of(network: nn.Module, six_images: LesionDataset) -> list[str]:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True)
    segmenter = Segmenter(network, mean=[128.0] * 3, std=[64.0] * 3, threshold=0.5)
    return validation_alarms(trainer, segmenter, six_images)


@pytest.mark.parametrize(
    ("logit", "words"), [(-9.0, "Nothing is marked in 6 of 6"), (9.0, "The whole image is marked in 6 of 6")]
)
def test_a_network_that_gives_every_pixel_the_same_answer_raises_an_alarm(
    logit: float, words: str, six_images: LesionDataset
) -> None:
    assert words in alarms_of(Constant(logit), six_images)[0]


def test_a_network_that_finds_dark_lesions_raises_none(six_images: LesionDataset) -> None:
    assert alarms_of(Darker(), six_images) == []
