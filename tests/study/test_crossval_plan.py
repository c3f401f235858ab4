from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig, OmegaConf

from lesionseg.config.command_line import note_command
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.study.crossval_plan import FILE, Training, plan, with_training
from lesionseg.study.scored_run import metric_faults


def config(**changes: Any) -> DictConfig:
    usual = {
        "folds": None,
        "seeds": None,
        "checkpoints": None,
        "training": ["a=1"],
        "jobs": None,
        "metric": "jaccard",
        "columns": ["dice"],
    }
    return OmegaConf.create(usual | changes)


def test_each_fold_is_a_training_with_its_words() -> None:
    found = plan(config(folds=2), Path("run"))
    assert found == [
        Training(Path("run/fold_0"), 0, None, ["a=1", "data.folds=2", "data.fold=0", "resume=auto"]),
        Training(Path("run/fold_1"), 1, None, ["a=1", "data.folds=2", "data.fold=1", "resume=auto"]),
    ]


def test_old_names_are_translated_for_every_training() -> None:
    found = plan(config(folds=2, training=["decision.fit=false"]), Path("run"))
    assert all(one.words[0] == "postprocessing.fit=false" for one in found)


def test_each_seed_is_a_training_that_divides_alike() -> None:
    found = plan(config(seeds=[3, 5]), Path("run"))
    assert [(one.name, one.fold, one.seed) for one in found] == [("seed_3", None, 3), ("seed_5", None, 5)]
    assert found[1].words == ["a=1", "seed=5", "resume=auto"]


def test_folds_and_seeds_give_every_fold_with_every_seed() -> None:
    names = [one.name for one in plan(config(folds=2, seeds=[0, 7]), Path("run"))]
    assert names == ["fold_0_seed_0", "fold_0_seed_7", "fold_1_seed_0", "fold_1_seed_7"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "neither folds nor seeds"),
        ({"folds": 1}, "folds is 1; allowed: at least 2"),
        ({"seeds": []}, r"seeds is \[\]; allowed: at least 2"),
        ({"seeds": [1]}, r"seeds is \[1\]; allowed: at least 2"),
        ({"seeds": [1, 1]}, "only once"),
        ({"seeds": [-1, 1]}, r"seeds\[0\] is -1; allowed: at least 0"),
        ({"seeds": [0, 4294967296]}, r"seeds\[1\] is 4294967296; allowed: at most 4294967295"),
        ({"folds": 1000000}, "folds is 1000000; allowed: at most 1000"),
        ({"folds": 2, "jobs": 10**20}, "allowed: at most 1000"),
        ({"folds": 2, "seeds": []}, "at least 1"),
        ({"folds": 2, "jobs": 0}, "jobs is 0"),
        ({"folds": 2, "training": ["data.fold=1"]}, r"data\.fold is what folds=2 says"),
        ({"folds": 2, "training": ["++data.folds=3"]}, r"data\.folds is what folds=2 says"),
        ({"seeds": [0, 1], "training": ["seed=4"]}, "seed is what seeds says"),
        ({"checkpoints": ["a.ckpt", "b.ckpt"]}, "without training"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(config(**changes), Path("run"))


def test_metrics_that_are_not_measured_are_told() -> None:
    faults = metric_faults(config(metric="iou", columns=["dice", "f2"]), "columns", ["dice", "jaccard"])
    assert faults == [f"{named}; allowed: dice, jaccard" for named in ("metric is iou", "columns is f2")]


def test_one_seed_of_each_fold_is_enough() -> None:
    assert len(plan(config(folds=2, seeds=[4]), Path("run"))) == 2


def test_seeds_alone_may_have_a_fold_of_their_own() -> None:
    assert len(plan(config(seeds=[0, 1], training=["data.fold=1", "data.folds=5"]), Path("run"))) == 2


def test_the_best_checkpoint_is_taken_and_else_the_last(tmp_path: Path) -> None:
    one = Training(tmp_path, 0, None, [])
    (tmp_path / "checkpoints").mkdir()
    assert one.checkpoint.name == "last.ckpt"
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    assert one.checkpoint.name == "best.ckpt"


def test_checkpoints_that_are_there_take_no_training() -> None:
    assert plan(config(checkpoints=["a.ckpt", "b.ckpt"], training=[]), Path("run")) == []


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
    note_command(
        tmp_path / "run" / FILE, with_training(["folds=2", "jobs=1", "data.root=a b", "hydra.run.dir=elsewhere"])
    )
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
    note_command(begun / FILE, ["folds=7"])
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
