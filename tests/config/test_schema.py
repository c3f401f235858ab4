from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig, OmegaConf

from lesionseg.config.build import argument_faults, target_nodes
from lesionseg.config.schema import CONF, register_schemas


def compose(name: str, overrides: list[str]) -> DictConfig:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides=overrides)


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_the_root_is_closed(verb: str) -> None:
    with pytest.raises(hydra.errors.ConfigCompositionException):
        compose(verb, ["no_such_key=1"])


def test_groups_are_closed() -> None:
    with pytest.raises(hydra.errors.ConfigCompositionException):
        compose("train", ["model.base_chanels=8"])


def test_root_types_are_enforced() -> None:
    with pytest.raises(hydra.errors.ConfigCompositionException):
        compose("train", ["seed=zero"])


def test_seed_zero_is_a_seed() -> None:
    assert compose("train", ["seed=0"]).seed == 0


def test_losses_and_loggers_add_up() -> None:
    cfg = compose("train", ["loss=[bce,lovasz]", "logger=[csv]"])
    assert set(cfg.loss.terms) == {"bce", "lovasz"}
    assert set(cfg.logger) == {"csv"}


def test_every_file_of_conf_is_a_root_or_in_a_group() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == {
        "train",
        "evaluate",
        "export",
        "predict",
        "compare",
        "download",
        "check_data",
        "benchmark",
        "crossval",
    }
    assert Path(CONF, "model", "unet.yaml").is_file()


def stems(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("recipe", stems("experiment"))
def test_a_recipe_goes_with_every_choice_of_parts(recipe: str) -> None:
    """A recipe that set an argument of one network would hand it to every other, which lesionseg refuses."""
    groups = {group: stems(group) for group in ("data", "model", "optimizer", "scheduler", "augmentation")}
    for number in range(0, max(map(len, groups.values())), 3):  # several networks, sources and schedules
        choices = {group: files[number % len(files)] for group, files in groups.items()}
        cfg = compose("train", [f"experiment={recipe}", "run_dir=unset", *map("=".join, choices.items())])
        for group in groups:
            for path, node in target_nodes(OmegaConf.to_container(cfg[group], resolve=True), group):
                assert list(argument_faults(node)) == [], f"experiment={recipe} {path}"
