"""Parts of anybody's own are built or refused."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.check import check
from lesionseg.config.build import TrainingLength, flat
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter, stride_of

Compose = Callable[[Sequence[str]], DictConfig]

MINE = """
import torch
from torch import nn
from torch.utils.data import Dataset
from torchmetrics import Metric
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger
from lesionseg.loss.combined import CombinedLoss
from lesionseg.loss.dice import DiceLoss

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.halve, self.head = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 1, 1)
    def forward(self, image):
        return nn.functional.interpolate(self.head(self.halve(image)), scale_factor=2.0)

class InDict(Plain):
    def forward(self, image):
        return {"out": super().forward(image)}

class OnlyInTraining(Plain):
    def forward(self, image):
        return [super().forward(image)] if self.training else super().forward(image)

class Small(Plain):
    def forward(self, image):
        return self.head(self.halve(image))

class TwoClasses(Plain):
    def forward(self, image):
        return super().forward(image).expand(-1, 2, -1, -1)

class Grey(Plain):
    def forward(self, image):
        return super().forward(image[:, :1])

class NoStride(Plain):
    stride = 0

class Images(Dataset):
    def __len__(self):
        return 1

class Loss(nn.Module):
    def forward(self, logits, mask):
        return nn.functional.binary_cross_entropy_with_logits(logits, mask.float())

class PerImage(nn.Module):
    def forward(self, logits, mask):
        return (logits - mask.float()).abs().mean(dim=(1, 2, 3))

class Score(Metric):
    def __init__(self):
        super().__init__()
        self.add_state("seen", torch.tensor(0.0), dist_reduce_fx="sum")
    def update(self, prediction, mask):
        self.seen += (prediction == mask).float().mean()
    def compute(self):
        return self.seen

class Words(Score):
    def compute(self):
        return "good"

class NoMetric:
    pass

class Augment:
    def __call__(self, image, mask, seed):
        return image[:, ::-1], mask[:, ::-1]

class White(Augment):
    def __call__(self, image, mask, seed):
        return image, mask * 255

class Mine(Callback):
    pass
"""


@pytest.fixture(autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parts_of_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))


def mine(name: str, **settings: Any) -> dict[str, Any]:
    return {"_target_": f"parts_of_mine.{name}", **settings}


def with_loss(name: str) -> dict[str, Any]:
    return {
        "_target_": "lesionseg.loss.combined.CombinedLoss",
        "terms": {"mine": mine(name)},
        "weights": {"mine": 1.0},
    }


def configured(compose: Compose, group: str, node: dict[str, Any]) -> DictConfig:
    cfg = compose(["monitor=val/loss", "image_size=64"])
    OmegaConf.set_struct(cfg, False)
    cfg[group] = OmegaConf.create(node)
    return cfg


KEPT = {
    "a plain module without a stride": ("model", mine("Plain")),
    "a term of a loss": ("loss", with_loss("Loss")),
    "a metric": ("metrics", {"mine": mine("Score")}),
    "an augmentation": ("augmentation", mine("Augment")),
    "a callback": ("callbacks", {"mine": mine("Mine")}),
    "a logger": ("logger", {"mine": {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "x"}}),
}


@pytest.mark.parametrize(("group", "node"), KEPT.values(), ids=KEPT.keys())
def test_what_keeps_the_contract_passes(compose: Compose, group: str, node: dict[str, Any]) -> None:
    check(configured(compose, group, node))


NETWORK = "a torch.nn.Module that maps an image (B, 3, H, W) to one tensor of logits (B, 1, H, W)"
BROKEN = {
    "a network in a dictionary": ("model", mine("InDict"), ["makes of an image (2, 3, 64, 64) a dict", NETWORK]),
    "another output in training": ("model", mine("OnlyInTraining"), ["a list", NETWORK]),
    "half the size": ("model", mine("Small"), ["torch.float32 of shape (2, 1, 32, 32)", NETWORK]),
    "two classes": ("model", mine("TwoClasses"), ["of shape (2, 2, 64, 64)", NETWORK]),
    "one channel": ("model", mine("Grey"), ["cannot take an image (2, 3, 64, 64): RuntimeError", NETWORK]),
    "a stride of nothing": ("model", mine("NoStride"), ["model has the stride 0", "an integer from 1"]),
    "no network": ("model", mine("NoMetric"), ["model is a parts_of_mine.NoMetric", NETWORK]),
    "torch's dataset": ("data", mine("Images"), ["data is a parts_of_mine.Images", "data=folder data.root=FOLDER"]),
    "a loss without terms": ("loss", mine("Loss"), ["loss is a parts_of_mine.Loss", "terms: {mine: {_target_:"]),
    "a loss per image": ("loss", with_loss("PerImage"), ["loss.terms.mine", "of shape (2,)", "to a scalar"]),
    "no terms at all": (
        "loss",
        {"_target_": "lesionseg.loss.combined.CombinedLoss"},
        ["needs the argument terms", "mine: {"],
    ),
    "no loss": ("loss", with_loss("NoMetric"), ["terms.mine", "give a loss with a _target_"]),
    "a metric that is none": ("metrics", {"mine": mine("NoMetric")}, ["metrics.mine", "torchmetrics.Metric, such as"]),
    "a metric without a name": ("metrics", mine("Score"), ["metrics is a parts_of_mine.Score", "'mine: {_target_:"]),
    "a metric of words": ("metrics", {"mine": mine("Words")}, ["metrics.mine", "computes a str", "returns a tensor"]),
    "no augmentation": ("augmentation", mine("NoMetric"), ["augmentation is a", "image (H, W, 3) uint8"]),
    "a white mask": ("augmentation", mine("White"), ["makes a mask with values up to 255"]),
    "a callback that is none": ("callbacks", {"mine": mine("NoMetric")}, ["callbacks.mine", "lightning.pytorch.Call"]),
    "a callback without a name": ("callbacks", mine("Mine"), ["callbacks is a parts_of_mine.Mine", "by name"]),
    "a logger that is none": (
        "logger",
        {"mine": mine("NoMetric")},
        ["logger.mine", "lightning.pytorch.loggers.Logger"],
    ),
    "a logger without a name": ("logger", mine("NoMetric"), ["logger._target_", "by name"]),
    "an optimizer that is not partial": (
        "optimizer",
        {"_target_": "torch.optim.SGD", "lr": 0.1},
        ["optimizer", "a class of torch.optim.Optimizer with '_partial_: true'"],
    ),
    "an optimizer that is none": (
        "optimizer",
        {"_target_": "torch.nn.ParameterList", "_partial_": True},
        ["optimizer makes a ParameterList", "a class of torch.optim.Optimizer"],
    ),
    "torch's own scheduler": (
        "scheduler",
        {"_target_": "torch.optim.lr_scheduler.StepLR", "_partial_": True},
        ["scheduler makes a StepLR", "a list of Lightning's schedulers"],
    ),
}


@pytest.mark.parametrize(("group", "node", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_contract_is_told_with_it(
    compose: Compose, group: str, node: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        check(configured(compose, group, node))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_network_without_a_stride_gets_multiples_of_32() -> None:
    class Noting(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            self.shape = tuple(image.shape)
            return image[:, :1]

    network = Noting()
    segmenter = Segmenter(network, mean=[0.0] * 3, std=[1.0] * 3, threshold=0.5)
    assert segmenter(torch.zeros(1, 3, 40, 65)).shape == (1, 1, 40, 65)
    assert network.shape == (1, 3, 64, 96)
    assert stride_of(torch.nn.Conv2d(3, 1, 1, stride=(2, 2))) == 32


@pytest.mark.parametrize(("epochs", "steps"), [(0, 0), (0.5, 10), (1, 20), (2.5, 50), (0.01, 0)])
def test_epochs_become_whole_steps(epochs: float, steps: int) -> None:
    assert TrainingLength(total_steps=100, steps_per_epoch=20).steps(epochs) == steps


def test_nested_names_are_joined() -> None:
    settings = {"seed": 0, "model": {"depth": 4, "head": {"kernel": None}}}
    assert flat(settings) == {"seed": 0, "model.depth": 4, "model.head.kernel": None}
    assert flat(settings, "/")["model/head/kernel"] is None
