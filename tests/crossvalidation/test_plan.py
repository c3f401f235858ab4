from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from lesionseg.crossvalidation.plan import Training, plan
from lesionseg.errors import InputError


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
        ({"folds": 2, "metric": "iou"}, "metric is iou; allowed: dice"),
        ({"folds": 2, "columns": ["iou"]}, "columns is iou; allowed: dice"),
        ({"folds": 2, "training": ["data.fold=1"]}, r"data\.fold is what folds=2 says"),
        ({"folds": 2, "training": ["++data.folds=3"]}, r"data\.folds is what folds=2 says"),
        ({"seeds": [0, 1], "training": ["seed=4"]}, "seed is what seeds says"),
        ({"checkpoints": ["a.ckpt", "b.ckpt"]}, "without training"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(config(**changes), Path("run"))


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
