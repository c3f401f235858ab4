"""Old names in YAML files, command lines, run folders and checkpoints."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from lesionseg.check import check
from lesionseg.checkpoint.reading import read
from lesionseg.config import old_names
from lesionseg.config.launch import launch
from lesionseg.config.old_names import KEYS, TARGETS, current_settings, current_words
from lesionseg.training.resuming import resumed_config, same_config

OLD = {new: old for old, new in reversed(TARGETS.items())}
OLD_KEYS = dict(KEYS["train"])


def aged(text: str) -> str:
    for new, old in OLD.items():
        text = text.replace(f"_target_: {new}\n", f"_target_: {old}\n")
    for old, new in OLD_KEYS.items():
        text = re.sub(rf"^{new}:", f"{old}:", text, flags=re.MULTILINE)
    return text


def aged_settings(settings: Any) -> Any:
    return OmegaConf.to_container(OmegaConf.create(aged(OmegaConf.to_yaml(settings))))


@pytest.fixture
def run_folder(smoke_run: Path, tmp_path: Path) -> Path:
    """A run as the version before left it."""
    (tmp_path / "config.yaml").write_text(aged((smoke_run / "config.yaml").read_text()))
    return tmp_path


@pytest.mark.parametrize("target", TARGETS.values())
def test_every_new_name_is_there(target: str) -> None:
    assert callable(get_object(target))


def test_every_part_of_the_configuration_that_has_moved_is_listed(run_folder: Path) -> None:
    text = (run_folder / "config.yaml").read_text()
    assert {old for old in TARGETS if old in text} >= {
        "lesionseg.augmentation.pipeline.Augmentation",
        "lesionseg.callbacks.best_checkpoint.BestCheckpoint",
        "lesionseg.decision.settings.FittingSettings",
        "lesionseg.logger.csv.CsvLogger",
        "lesionseg.scheduler.cosine.cosine",
    }


def test_a_run_with_old_names_is_resumed_without_a_warning(
    run_folder: Path, smoke_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    composed = OmegaConf.create((smoke_run / "config.yaml").read_text().replace(str(smoke_run), str(run_folder)))
    assert isinstance(composed, DictConfig)
    check(resumed_config(composed, []))
    same_config(composed)  # resume=auto, which compares the settings one by one
    assert "Warning" not in capsys.readouterr().err


def test_a_checkpoint_with_old_names_opens_without_a_warning(
    smoke_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = smoke_run / "checkpoints" / "best.ckpt"
    contents = torch.load(path, weights_only=True)
    wanted = contents["lesionseg"]["config"]
    contents["lesionseg"]["config"] = aged_settings(wanted)
    assert contents["lesionseg"]["config"] != wanted
    torch.save(contents, tmp_path / "old.ckpt")
    assert read(tmp_path / "old.ckpt")["lesionseg"]["config"] == wanted
    assert not capsys.readouterr().err


def composed_by(words: list[str], monkeypatch: pytest.MonkeyPatch) -> DictConfig:
    """Runs a command line as `lesionseg.train` does, up to the verb."""
    configs: list[DictConfig] = []
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["train", *words, "hydra/job_logging=none", "hydra.output_subdir=null"])
    launch("train", configs.append)
    return configs[0]


def test_an_old_name_in_a_file_of_the_users_own_works_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "scheduler").mkdir(parents=True)
    (tmp_path / "conf" / "scheduler" / "mine.yaml").write_text("_target_: lesionseg.scheduler.none.none\n")
    cfg = composed_by(["--config-dir=conf", "scheduler=mine", "experiment=smoke"], monkeypatch)
    assert cfg.scheduler._target_ == "lesionseg.training.schedulers.none"
    warning = capsys.readouterr().err
    assert warning.count("Warning") == 1
    assert "lesionseg.scheduler.none.none is now called lesionseg.training.schedulers.none" in warning


@pytest.mark.parametrize(
    ("verb", "word", "wanted"),
    [
        ("train", "decision.fit=false", "postprocessing.fit=false"),
        ("evaluate", "decision=plain", "postprocessing=plain"),
    ],
)
def test_each_renamed_key_is_translated(verb: str, word: str, wanted: str) -> None:
    assert current_words(verb, [word]) == [wanted]


@pytest.fixture
def renamed_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_names, "KEYS", {"train": {"learning": "optimizer", "old.size": "image_size"}})


@pytest.mark.usefixtures("renamed_key")
def test_an_old_key_on_the_command_line_works_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cfg = composed_by(["learning.lr=0.25", "experiment=smoke"], monkeypatch)
    assert cfg.optimizer.lr == 0.25
    assert capsys.readouterr().err.count("Warning: learning is now called optimizer") == 1


@pytest.mark.usefixtures("renamed_key")
@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("learning=sgd", "optimizer=sgd"),
        ("+learning.lr=1", "+optimizer.lr=1"),
        ("~learning", "~optimizer"),
        ("old.size=32", "image_size=32"),
        ("learning_rate=1", "learning_rate=1"),
        ("name=learning", "name=learning"),
        ("old.sizes=3", "old.sizes=3"),
    ],
)
def test_only_whole_keys_are_renamed(word: str, wanted: str) -> None:
    assert current_words("train", [word]) == [wanted]
    assert current_words("predict", [word]) == [word]


@pytest.mark.usefixtures("renamed_key")
def test_old_keys_of_a_stored_configuration_are_renamed() -> None:
    stored = {"learning": {"lr": 1}, "old": {"size": 3, "rest": None}, "seed": 0}
    assert current_settings(stored) == {"optimizer": {"lr": 1}, "old": {"rest": None}, "seed": 0, "image_size": 3}
    assert stored["learning"] == {"lr": 1}
