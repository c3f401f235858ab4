"""The summary's numbers are those a hand counts."""

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.demos.boring_classes import BoringModel
from rich.console import Console

from lesionseg.data.datamodule import LesionDataModule
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula import Counts
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import Segmenter
from lesionseg.model.unet import UNet
from lesionseg.postprocessing.fitting import Candidate, FittedPostprocessing, Trial
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.training.console import ModelSummary, early_stop, print_postprocessing, print_results, summary_table
from lesionseg.training.module import SegmentationModule


def test_each_option_is_shown_without_and_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    tried = (Candidate(0.4, 0.81, 0.87), Candidate(0.6, 0.7, 0.75))
    trials = [
        Trial("threshold", Candidate(0.5, 0.8, 0.86), tried, kept=True),
        Trial("fill_holes", Candidate(False, 0.81, 0.87), (Candidate(True, 0.8101, 0.8702),), kept=False),
    ]
    fitted = FittedPostprocessing(
        Postprocessing(threshold=0.4), images=150, min_gain=0.001, trials=trials, scores={}, counts=Counts(0, 0, 0, 0)
    )
    print_postprocessing(fitted)
    printed = capsys.readouterr().out
    assert "fitted on 150 validation images" in printed
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "->" in line]
    assert rows[-2:] == [
        ["threshold", "0.4", "0.8000 -> 0.8100", "0.8600 -> 0.8700", "yes"],
        ["fill_holes", "true", "0.8100 -> 0.8101", "0.8700 -> 0.8702", "no"],
    ]


def test_what_was_trained_and_what_is_delivered_stand_side_by_side(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    results = {"val/dice": 0.0391, "val_delivered/dice": 0.5142, "test/dice": 0.5098, "val/loss": 1.25, "epoch": 3.0}
    print_results(results)
    lines = capsys.readouterr().out.splitlines()
    headings = [cell.strip() for cell in lines[2].split("┃")[1:-1]]
    assert headings == ["metric", "validation, as trained", "validation, as delivered", "test, as delivered"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert rows == [["dice", "0.0391", "0.5142", "0.5098"], ["loss", "1.2500", "", ""]]
    assert "with the post-processing that was fitted" in " ".join(lines).replace("  ", " ")


def test_without_a_fitted_decision_there_is_no_such_column(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"val/dice": 0.9, "test/dice": 0.8})
    printed = capsys.readouterr().out
    assert "validation, as trained" in printed
    assert "validation, as delivered" not in printed
    assert "fitted" not in printed


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


class Constant(BoringModel):
    """Validates to the same value after every epoch."""

    value = 0.25

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/dice", torch.tensor(self.value))

    def on_validation_epoch_end(self) -> None:
        pass


class Asking(Callback):
    """Stops after the first epoch, for reasons of its own."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = True


def fitted(*callbacks: Callback, value: float = 0.25, **settings: Any) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    limits = {"limit_train_batches": 2, "limit_val_batches": 1, "max_epochs": 6, "enable_model_summary": False}
    trainer = Trainer(callbacks=list(callbacks), **{**quiet, **limits, **settings})
    model = Constant()
    model.value = value
    trainer.fit(model)
    return trainer


def patience(validations: int) -> EarlyStopping:
    return EarlyStopping(monitor="val/dice", mode="max", patience=validations)


def test_a_whole_training_has_no_reason() -> None:
    assert early_stop(fitted(patience(20))) is None


@pytest.mark.parametrize(("every", "epochs"), [(1, 3), (2, 6)])
def test_patience_is_named_with_its_best_value_and_counts_validations(every: int, epochs: int) -> None:
    reason = early_stop(fitted(patience(2), max_epochs=12, check_val_every_n_epoch=every))
    assert reason is not None
    assert f"after epoch {epochs} of 12" in reason
    assert "val/dice had not improved on 0.2500 for 2 validations" in reason
    assert "callbacks.early_stopping.patience" in reason


def test_a_value_that_is_not_finite_is_named() -> None:
    reason = early_stop(fitted(patience(2), value=float("nan")))
    assert reason is not None
    assert "not finite" in reason


def test_the_end_of_the_allowed_time_is_named() -> None:
    reason = early_stop(fitted(max_time={"seconds": 0}))
    assert reason is not None
    assert "trainer.max_time" in reason


def test_the_end_of_the_allowed_steps_is_named() -> None:
    reason = early_stop(fitted(max_steps=3))
    assert reason is not None
    assert "trainer.max_steps allows 3 optimizer steps" in reason


def test_anything_else_is_at_least_told() -> None:
    reason = early_stop(fitted(Asking()))
    assert reason is not None
    assert "after epoch 1 of 6" in reason
