"""What tests of several packages share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig

from lesionseg.config import CONF, register_schemas

Compose = Callable[[Sequence[str]], DictConfig]


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    """Composes `conf/train.yaml` with a command line's overrides; the run's folder is the test's own."""
    register_schemas()

    def from_overrides(overrides: Sequence[str]) -> DictConfig:
        with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return hydra.compose("train", overrides=[*overrides, f"run_dir={tmp_path}"])

    return from_overrides
