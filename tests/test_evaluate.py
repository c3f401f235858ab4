"""Opening a best checkpoint again, on its own data and on others."""

import json
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig

from lesionseg.config import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.evaluate import evaluate


def configuration(run: Path, folder: Path, *overrides: str) -> DictConfig:
    register_schemas()
    given = [f"checkpoint={run / 'checkpoints' / 'best.ckpt'}", f"run_dir={folder}", "num_workers=0", *overrides]
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("evaluate", overrides=given)


def test_it_repeats_the_test_to_the_last_digit(smoke_run: Path, tmp_path: Path) -> None:
    trained = json.loads((smoke_run / "metrics.json").read_text())
    again = evaluate(configuration(smoke_run, tmp_path))
    assert again == {name: value for name, value in trained.items() if name.startswith("test/")}
    assert json.loads((tmp_path / "metrics.json").read_text())["metrics"] == again


def test_the_batch_size_changes_nothing(smoke_run: Path, tmp_path: Path) -> None:
    one = evaluate(configuration(smoke_run, tmp_path, "batch_size=1", "trainer.precision=32-true"))
    many = evaluate(configuration(smoke_run, tmp_path, "batch_size=8", "trainer.precision=32-true"))
    assert one == pytest.approx(many, abs=1e-6)


def test_other_data_is_scored_at_its_own_size(smoke_run: Path, tmp_path: Path, photographs: Path) -> None:
    overrides = ["data=folder", f"data.root={photographs}", "part=all", "data.mask_suffix=_segmentation"]
    results = evaluate(configuration(smoke_run, tmp_path, *overrides))
    assert 0 <= results["test/dice"] <= 1


def test_an_unknown_part_is_refused(smoke_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="part is tset"):
        evaluate(configuration(smoke_run, tmp_path, "part=tset"))
