"""What is suggested for a key that is not there, in the configurations as they are composed."""

from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf

from lesionseg.config.explain import near_keys
from lesionseg.config.schema import CONF, register_schemas


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
