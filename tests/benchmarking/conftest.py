"""What tests of several of the benchmark's files share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig

from lesionseg.config.schema import CONF, register_schemas

TINY = (
    "name=mine",
    "image_size=32",
    "model=unet_small",
    "model.base_channels=2",
    "model.depth=2",
    "rounds=2",
    "seconds=0.01",
    "batch_size=4",
    "inference_batch_size=2",
    "num_workers=0",
    "loader_images=6",
    "runtimes=[eager]",
    "device=cpu",
)


@pytest.fixture
def composed(tmp_path: Path) -> Callable[..., DictConfig]:
    """Composes `conf/benchmark.yaml` in a tiny setting with further overrides."""

    def from_overrides(*overrides: str) -> DictConfig:
        register_schemas()
        with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return hydra.compose("benchmark", overrides=[*TINY, f"run_dir={tmp_path}", *overrides])

    return from_overrides


@pytest.fixture
def pixelwise() -> Callable[..., Any]:
    """Makes the settings of a peer whose logits are a weighted sum of a pixel's colours."""
    from lesionseg.benchmarking.subject import SubjectSettings

    usual = {"name": "pixelwise", "node": "peers.pixelwise.network", "checkpoint": None, "precision": "fp32"}
    usual |= {"channels_last": True, "stride": 32, "device": "cpu"}
    convolution = {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 1, "kernel_size": 1}
    return lambda **changes: SubjectSettings(**(usual | {"network": convolution} | changes))
