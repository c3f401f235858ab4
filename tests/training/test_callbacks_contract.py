"""What every callback must do, whoever wrote it: add `conf/callbacks/mine.yaml` and it is tested here, in a fit."""

import io
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig

from lesionseg.check import check
from lesionseg.config.build import build_group
from lesionseg.config.schema import CONF
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
    cfg: DictConfig, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    cfg.run_dir = str(tmp_path / "run")
    results = Experiment(cfg).run()
    assert 0 <= results["test/dice"] <= 1
    assert list(elsewhere.iterdir()) == []


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
