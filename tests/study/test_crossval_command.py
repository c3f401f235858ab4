"""Which words of the command line are the cross-validation's own, and which each training gets."""

from pathlib import Path

import hydra
import pytest

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.study.crossval_command import note_command, with_training

AWKWARD = [
    "data.root=a b",
    "data.root=c,d",
    "data.root='e'",
    "name=f{g}",
    "name=h\\",
    "name=${i}",
    "name=ü",
    "~callbacks.ema",
]
AWKWARD += ["loss=[bce,lovasz]", "+callbacks.mine._target_=x.Y", "++data.root=it's"]


def training(words: list[str]) -> list[str]:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return list(hydra.compose("crossval", overrides=[*words, "run_dir=unset"]).training)


def test_words_of_the_training_arrive_as_they_are() -> None:
    assert training(with_training(["folds=2", *AWKWARD, "jobs=3"])) == AWKWARD


def test_own_words_hydras_and_options_are_left_alone() -> None:
    own = ["--cfg", "job", "folds=5", "seeds=[0,1]", "hydra.run.dir=x", "+hydra.job.chdir=false", "run_dir=y"]
    assert with_training(own) == own
    assert with_training(["--config-dir", "a=b", "folds=2"]) == ["--config-dir", "a=b", "folds=2"]


def test_a_key_that_only_begins_like_an_own_one_is_the_trainings() -> None:
    assert with_training(["metrics=default", "seed=1"]) == ["training=['metrics=default','seed=1']"]


def test_a_sweep_is_refused() -> None:
    with pytest.raises(InputError, match="without -m"):
        with_training(["-m", "folds=2,3"])


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cross-validation that was started from another folder."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    note_command(tmp_path / "run", with_training(["folds=2", "jobs=1", "data.root=a b", "hydra.run.dir=elsewhere"]))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "run"


def test_going_on_repeats_the_command_from_where_it_was_given(begun: Path) -> None:
    words = with_training([f"resume=../{begun.name}", "jobs=2"])
    assert words == [
        "folds=2",
        "training=['data.root=a b']",
        "jobs=2",
        f"resume='{begun}'",
        f"hydra.run.dir='{begun}'",
        "hydra.output_subdir=null",
    ]
    assert Path.cwd().name == "there"


@pytest.mark.parametrize("word", ["folds=3", "seeds=[1]", "model.depth=3"])
def test_going_on_with_other_words_is_refused(begun: Path, word: str) -> None:
    with pytest.raises(InputError, match=r"take out:\n  - "):
        with_training([f"resume={begun}", word])


def test_the_first_command_is_kept(begun: Path) -> None:
    before = (begun / "command.json").read_text()
    note_command(begun, ["folds=7"])
    assert (begun / "command.json").read_text() == before


def test_going_on_with_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no cross-validation"):
        with_training([f"resume={tmp_path}"])


@pytest.mark.parametrize("text", ["{", "[]", '{"arguments": 5, "folder": "."}', '{"arguments": []}'])
def test_a_damaged_command_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "command.json").write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        with_training([f"resume={tmp_path}"])


@pytest.mark.parametrize("word", ["resume=auto", "resume=null", "resume="])
def test_auto_and_nothing_repeat_no_command(word: str) -> None:
    assert with_training(["folds=2", word]) == ["folds=2", word]
