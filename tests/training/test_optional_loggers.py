"""Loggers of other packages: offline beside the run where they are installed, one message where they are not."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import mlflow as lightning_mlflow
from lightning.pytorch.loggers import wandb as lightning_wandb
from lightning_utilities.core.imports import RequirementCache

from lesionseg.check import check
from lesionseg.config.build import build
from lesionseg.errors import InputError
from lesionseg.training.experiment import Experiment

OPTIONAL = ["mlflow", "wandb"]
TINY = [
    "experiment=smoke",
    "augmentation=none",
    "image_size=32",
    "data.train=4",
    "data.validation=2",
    "data.test=1",
    "batch_size=2",
    "model.base_channels=2",
    "model.depth=1",
    "trainer=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=1",
]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to talk to another machine fails at once."""
    import socket

    def refuse(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if host not in ("local", "127.0.0.1", "localhost", "::1"):
            raise AssertionError(f"a connection to {address}")
        connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize("name", OPTIONAL)
def test_its_settings_pass_the_check_whether_it_is_installed_or_not(compose: Any, name: str) -> None:
    check(compose(["experiment=smoke", f"logger=[csv,{name}]"]))


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    compose: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    absent = RequirementCache("a-package-nobody-has>=1", name)
    absent.available, absent.message = False, f"Module not found: {name!r}. HINT: Try running `pip install -U {name}`"
    monkeypatch.setattr(lightning_mlflow, "_MLFLOW_AVAILABLE", absent)
    monkeypatch.setattr(lightning_wandb, "_WANDB_AVAILABLE", absent)
    cfg = compose(["experiment=smoke", f"logger={name}"])
    with pytest.raises(InputError) as refusal:
        build(f"logger.{name}", cfg.logger[name])
    message = str(refusal.value)
    assert message == f"logger.{name} needs {name}: pip install 'lesionseg[{name}]', or leave it out"


def test_mlflow_has_the_metrics_in_one_file_in_the_run_folder(
    compose: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    pytest.importorskip("mlflow")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    cfg = compose([*TINY, "logger=mlflow"])
    cfg.run_dir = str(tmp_path / "run")
    results = Experiment(cfg).run()
    with sqlite3.connect(tmp_path / "run" / "mlflow.db") as database:
        told = dict(database.execute("SELECT key, value FROM latest_metrics"))
        names = [name for (name,) in database.execute("SELECT name FROM experiments")]
    assert told["val/dice"] == pytest.approx(results["val/dice"])
    assert told["test/dice"] == pytest.approx(results["test/dice"])
    assert "smoke" in names
    assert list(elsewhere.iterdir()) == []


def test_wandb_writes_offline_below_the_run_folder_and_asks_nobody(
    compose: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    wandb = pytest.importorskip("wandb")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    cfg = compose([*TINY, "logger=wandb"])
    cfg.run_dir = str(tmp_path / "run")
    Experiment(cfg).run()
    wandb.finish()
    (folder,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    (file,) = folder.glob("*.wandb")
    assert b"val/dice" in file.read_bytes()
    assert list(elsewhere.iterdir()) == []
