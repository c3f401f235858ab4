"""What is suggested for a key that is not there, in the configurations as they are composed."""

from typing import Any

import hydra
import pytest
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf

from lesionseg.config.explain import explain, near_keys
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError


@pytest.fixture(scope="module")
def trees() -> dict[str, Any]:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        composed = {verb: hydra.compose(verb) for verb in ("train", "predict", "evaluate")}
        composed["folder"] = hydra.compose("train", overrides=["data=folder"])
    return {name: OmegaConf.to_container(cfg, resolve=False) for name, cfg in composed.items()}


@pytest.mark.parametrize(
    ("tree", "place", "key", "suggested"),
    [
        ("train", "", "lr", ["optimizer.lr"]),
        ("train", "", "learning_rate", ["optimizer.lr"]),
        ("train", "optimizer", "learning_rate", ["optimizer.lr"]),
        ("train", "", "epochs", ["trainer.max_epochs"]),
        ("train", "", "max_epochs", ["trainer.max_epochs"]),
        ("train", "trainer", "epochs", ["trainer.max_epochs"]),
        ("train", "", "batch", ["batch_size"]),
        ("train", "", "batchsize", ["batch_size"]),
        ("train", "", "amp", ["trainer.precision"]),
        ("train", "", "root", ["data=folder data.root=FOLDER"]),
        ("train", "", "folder", ["data=folder data.root=FOLDER"]),
        ("folder", "", "root", ["data.root"]),
        ("folder", "", "mask_suffix", ["data.mask_suffix"]),
        ("train", "", "encoder", ["model=smp model.encoder=resnet34"]),
        ("train", "", "patience", ["callbacks.early_stopping.patience"]),
        ("train", "", "output_dir", ["hydra.run.dir=FOLDER"]),
        ("train", "model", "base_chanels", ["model.base_channels"]),
        ("predict", "", "weights", ["checkpoint"]),
        ("predict", "", "source", ["input"]),
        ("predict", "", "out", ["output"]),
        ("evaluate", "", "gt", ["truth"]),
        ("predict", "", "zzz", []),
    ],
)
def test_the_likely_key_is_found(trees: dict[str, Any], tree: str, place: str, key: str, suggested: list[str]) -> None:
    assert near_keys(key, place, trees[tree]) == suggested


def test_an_error_of_a_data_worker_is_told_without_its_traceback() -> None:
    wrapped = InputError(
        "Caught InputError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
        '  File "x.py", line 1, in y\nlesionseg.errors.InputError: a.jpg: cannot be read\n'
    )
    assert explain(wrapped) == "a.jpg: cannot be read"


def test_an_error_that_is_its_own_cause_is_told_too() -> None:
    one, other = InputError("one"), InputError("other")
    one.__cause__, other.__cause__ = other, one
    assert explain(one) == "one"


@pytest.mark.parametrize(
    ("missing", "extra"),
    [
        ("hydra/sweeper/optuna", "lesionseg[sweep]"),
        ("hydra/launcher/joblib", "lesionseg[sweep]"),
        ("hydra/launcher/submitit_slurm", "lesionseg[slurm]"),
        ("hydra/launcher/ray", "lesionseg[ray]"),
    ],
)
def test_a_missing_plugin_says_what_to_install(missing: str, extra: str) -> None:
    assert extra in explain(MissingConfigException(f"In 'train': Could not find '{missing}'", missing))
