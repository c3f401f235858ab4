"""The summary's numbers are those a hand counts."""

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import Segmenter
from lesionseg.model.unet import UNet
from lesionseg.training.model_summary import ModelSummary, summary_table
from lesionseg.training.module import SegmentationModule


@pytest.fixture
def segmenter() -> Segmenter:
    network = UNet(
        base_channels=32,
        max_channels=512,
        decoder_max_channels=512,
        depth=1,
        blocks_per_stage=1,
        block="plain",
        normalisation="batch",
        activation="relu",
        upsampling="bilinear",
        context=False,
        stem_stride=1,
        dropout=0.0,
        activation_checkpointing=False,
    )
    return Segmenter(network, mean=[0.0] * 3, std=[1.0] * 3, threshold=0.5)


def rows(segmenter: Segmenter, image_size: int) -> list[list[str]]:
    text = io.StringIO()
    Console(file=text, width=120).print(summary_table(segmenter, image_size))
    cells = [re.split(r"\s*[│┃|]\s*", line)[1:-1] for line in text.getvalue().splitlines()]
    return [row for row in cells if len(row) == 3 and row[0] != "part"]


def test_each_part_has_its_shape_and_parameters_and_the_whole_its_cost(segmenter: Segmenter) -> None:
    """3x3 convolutions without bias and two numbers a channel of batch normalisation; a multiplication and its addition
    are two operations at every pixel."""
    encoder = (3 * 32 + 32 * 32) * 9
    bottleneck = (32 * 64 + 64 * 64) * 9
    narrowing = 64 * 32  # 1x1 without bias, before the resolution is doubled
    decoder = (64 * 32 + 32 * 32) * 9
    operations = 2 * (64 * 64 * (encoder + decoder + 32) + 32 * 32 * (bottleneck + narrowing))
    parameters = (encoder + 4 * 32, bottleneck + 4 * 64, narrowing, decoder + 4 * 32, 32 + 1)
    assert rows(segmenter, 64) == [
        ["encoder 0", "32 x 64 x 64", f"{parameters[0]:,}"],
        ["bottleneck", "64 x 32 x 32", f"{parameters[1]:,}"],
        ["upsample 0", "32 x 64 x 64", f"{parameters[2]:,}"],
        ["decoder 0", "32 x 64 x 64", f"{parameters[3]:,}"],
        ["head", "1 x 64 x 64", f"{parameters[4]:,}"],
        ["all", f"{operations / 1e9:.2f} GFLOP an image", f"{sum(parameters):,}"],
    ]


def test_an_odd_size_is_padded_before_it_is_measured(segmenter: Segmenter) -> None:
    assert rows(segmenter, 33)[0][1] == "32 x 34 x 34"


def test_looking_changes_nothing(segmenter: Segmenter) -> None:
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}
    summary_table(segmenter, 32)
    assert segmenter.training
    assert not any(layer._forward_hooks for layer in segmenter.modules())
    assert all(torch.equal(value, before[name]) for name, value in segmenter.state_dict().items())


@pytest.mark.parametrize("first", [True, False])
def test_it_is_printed_once_at_the_start(segmenter: Segmenter, synthetic: Any, capsys: Any, first: bool) -> None:
    source = synthetic(cache="none", size=32, train=1, validation=1, test=0)
    data = LesionDataModule(source, image_size=32, batch_size=1, num_workers=0, seed=0, augment=None)
    module = SegmentationModule(segmenter, metrics=metric_collection({"dice": Dice()}))
    trainer: Any = SimpleNamespace(datamodule=data, is_global_zero=first, precision="32-true")
    ModelSummary().on_fit_start(trainer, module)
    out = capsys.readouterr().out
    assert ("UNet for 32 x 32 pixels" in out) == first
    assert bool(re.search(r"^on CPU.* cores?, fp32$", out, re.MULTILINE)) == first
