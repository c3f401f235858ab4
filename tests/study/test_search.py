"""The ready search spaces: whoever adds `conf/search/mine.yaml` has it tested here."""

from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.errors import ConfigCompositionException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from lesionseg.check import check
from lesionseg.config.schema import CONF, register_schemas

NAMES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))
MISSING = "no such key"


def params(name: str) -> dict[str, str]:
    return {
        str(key): str(text)
        for key, text in OmegaConf.load(CONF / "search" / f"{name}.yaml").hydra.sweeper.params.items()
    }


def composed(overrides: list[str]) -> DictConfig:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=[*overrides, "run_dir=unset"], return_hydra_config=True)


@pytest.fixture
def sweeper_plugin() -> Any:
    pytest.importorskip("optuna")
    return pytest.importorskip("hydra_plugins.hydra_optuna_sweeper._impl")


def test_there_are_search_spaces() -> None:
    assert {"network", "optimisation"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_a_setting_or_a_group(name: str, compose: Any) -> None:
    cfg = compose([])
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    unknown = [
        key for key in params(name) if key not in groups and OmegaConf.select(cfg, key, default=MISSING) == MISSING
    ]
    assert unknown == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("mode", "direction"), [("max", "maximize"), ("min", "minimize")])
def test_it_searches_in_the_direction_of_the_monitored_value(
    name: str, mode: str, direction: str, sweeper_plugin: Any
) -> None:
    cfg = composed([f"+search={name}", f"monitor_mode={mode}", "seed=7"])
    sweeper = instantiate(cfg.hydra.sweeper).sweeper
    assert sweeper._get_directions() == [direction]
    assert type(sweeper.sampler).__name__ == "TPESampler"
    assert cfg.hydra.sweeper.sampler.seed == 7
    assert sweeper.max_failure_rate == 1
    assert sweeper.n_jobs == 1


@pytest.mark.parametrize("name", NAMES)
def test_hopeless_jobs_are_given_up_unless_one_wants_them(name: str, sweeper_plugin: Any) -> None:
    cfg = composed([f"+search={name}"])
    assert cfg.callbacks.pruning.monitor == cfg.monitor
    assert {"checkpoint", "early_stopping"} <= set(cfg.callbacks)
    assert composed([f"+search={name}", "callbacks.pruning=null"]).callbacks.pruning is None


@pytest.mark.parametrize("name", NAMES)
def test_its_corners_pass_the_check(name: str, compose: Any, sweeper_plugin: Any, tmp_path: Path) -> None:
    """Of every parameter the first and the last value at once, with the default data and image size."""
    words = [f"{key}={text}" for key, text in params(name).items()]
    distributions, fixed = sweeper_plugin.create_params_from_overrides(words)
    for corner in (0, -1):
        values = {key: _ends(distribution)[corner] for key, distribution in distributions.items()}
        cfg = compose([f"+search={name}", *(f"{key}={value}" for key, value in (fixed | values).items())])
        check(cfg)
        for key, value in values.items():
            assert OmegaConf.select(cfg, key) == value


def test_without_the_plugin_the_sweeper_is_named() -> None:
    try:
        import hydra_plugins.hydra_optuna_sweeper  # noqa: F401
    except ImportError:
        with pytest.raises((ConfigCompositionException, hydra.errors.MissingConfigException), match="sweeper/optuna"):
            composed([f"+search={NAMES[0]}"])
    else:
        pytest.skip("the plugin is installed")


def _ends(distribution: Any) -> tuple[Any, Any]:
    if hasattr(distribution, "choices"):
        return distribution.choices[0], distribution.choices[-1]
    return distribution.low, distribution.high
