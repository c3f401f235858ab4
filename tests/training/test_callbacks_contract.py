"""What every callback must do, whoever wrote it: add `conf/callbacks/mine.yaml` and it is tested here, in a fit."""

import csv
import io
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig

from lesionseg.check import check
from lesionseg.config.build import build_group
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.training.experiment import Experiment

NAMES = sorted(path.stem for path in (CONF / "callbacks").glob("*.yaml"))
TINY = [
    "experiment=smoke",
    "augmentation=none",
    "logger=csv",
    "image_size=32",
    "data.train=4",
    "data.validation=2",
    "data.test=1",
    "batch_size=2",
    "model.base_channels=2",
    "model.depth=1",
    "trainer=cpu",
    "trainer.precision=32-true",
]


LOGGED = ("train/loss", "val/loss", "val/dice")
Logged = dict[tuple[str, str], str]
TRAINS_OTHERWISE = ("default", "ema", "progressive_size")
"""Of the callbacks those that are meant to change a training; all others only look on."""


def logged(folder: Path) -> Logged:
    """The losses and scores of each epoch."""
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["epoch"], name): row[name] for row in rows for name in LOGGED if row[name]}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, no_figures: None) -> Logged:
    """What a training logs that does nothing but keep its best checkpoint."""
    register_schemas()
    folder = tmp_path_factory.mktemp("undisturbed")
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        Experiment(hydra.compose("train", overrides=[*TINY, "callbacks=[checkpoint]", f"run_dir={folder}"])).run()
    return logged(folder)


@pytest.fixture(params=NAMES)
def cfg(request: pytest.FixtureRequest, compose: Any) -> DictConfig:
    composed: DictConfig = compose([*TINY, f"callbacks={request.param}"])
    return composed


def test_it_passes_the_check_and_is_a_callback(cfg: DictConfig) -> None:
    check(cfg)
    built = build_group("callbacks", cfg.callbacks)
    assert built
    assert all(isinstance(callback, Callback) for callback in built.values())


def test_it_lasts_a_training_and_a_test_and_writes_into_the_run_folder_only(
    cfg: DictConfig,
    request: pytest.FixtureRequest,
    undisturbed: Logged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    cfg.run_dir = str(tmp_path / "run")
    Experiment(cfg).run()
    assert list(elsewhere.iterdir()) == []
    found = logged(tmp_path / "run")
    assert len(found) == len(undisturbed) == 2 * len(LOGGED)
    if request.node.callspec.params["cfg"] not in TRAINS_OTHERWISE:
        assert found == undisturbed


def test_what_it_keeps_opens_as_plain_values(cfg: DictConfig) -> None:
    """It goes into checkpoints, which open with `weights_only=True` only."""
    for callback in build_group("callbacks", cfg.callbacks).values():
        file = io.BytesIO()
        torch.save(callback.state_dict(), file)
        file.seek(0)
        assert torch.load(file, weights_only=True) == callback.state_dict()


def test_a_callback_set_to_null_is_left_out(compose: Any) -> None:
    everything = compose([*TINY]).callbacks
    without = compose([*TINY, "callbacks.ema=null", "callbacks.curves=null"]).callbacks
    assert build_group("callbacks", everything).keys() - build_group("callbacks", without).keys() == {"ema", "curves"}
