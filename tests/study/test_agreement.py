"""Refusing to compare what was measured on other images or in another way."""

import json
from typing import Any

import pytest

from lesionseg.errors import InputError
from lesionseg.study.agreement import check_agreement
from lesionseg.study.method import methods_of
from lesionseg.study.scored_run import read_run


def check(*folders: Any) -> None:
    check_agreement(methods_of([read_run(folder) for folder in folders]))


def refusal(*folders: Any) -> str:
    with pytest.raises(InputError) as error:
        check(*folders)
    return str(error.value)


def test_the_same_images_in_any_order_agree(write_run: Any) -> None:
    check(write_run("a", [0.5, 0.6], ids=["x", "y"]), write_run("b", [0.5, 0.6], ids=["y", "x"]))


def test_other_images_are_named(write_run: Any) -> None:
    first = write_run("a", [0.5] * 3, ids=["x", "y", "z"])
    message = refusal(first, write_run("b", [0.5] * 2, ids=["x", "w"]), write_run("c", [0.5] * 3, ids=["x", "y", "z"]))
    assert f"{first}, {first.parent / 'c'}: 3 images" in message
    assert "b: 2 images" in message
    assert "it lacks y, z" in message
    assert "only it has w" in message


def test_other_ground_truth_of_the_same_images_is_refused(write_run: Any) -> None:
    message = refusal(write_run("a", [0.5] * 9), write_run("b", [0.5] * 9, truth="changed"))
    assert "another ground truth for i0, i1, i2 and 6 more" in message


def test_other_definitions_are_named(write_run: Any) -> None:
    message = refusal(write_run("a", [0.5]), write_run("b", [0.5], tolerance=2.0))
    assert "boundary_tolerance is 0.75 and 2.0" in message


def test_a_summary_that_does_not_belong_to_its_table_is_noticed(write_run: Any) -> None:
    message = refusal(write_run("a", [0.5]), write_run("b", [0.5], test_set="f" * 64))
    assert "b: test set ffffffff" in message


def test_folds_cut_otherwise_agree_when_they_cover_the_same_images(write_run: Any, training: Any) -> None:
    folds = [
        write_run("a0", [0.5], ids=["x"], config=training(**{"data.fold": 0})),
        write_run("a1", [0.5, 0.6], ids=["y", "z"], config=training(**{"data.fold": 1})),
    ]
    deep = {"model.depth": 5}
    others = [
        write_run("b0", [0.5, 0.6], ids=["x", "y"], config=training(**deep, **{"data.fold": 0})),
        write_run("b1", [0.7], ids=["z"], config=training(**deep, **{"data.fold": 1})),
    ]
    check(*folds, *others)
    assert "it lacks z" in refusal(*folds, others[0])


def test_titles_and_metrics_of_another_version_are_no_disagreement(write_run: Any) -> None:
    """Earlier versions titled recall otherwise and wrote down no lowest value."""
    old, new = write_run("a", [0.5]), write_run("b", [0.5])
    summary = json.loads((old / "summary.json").read_text())
    for definition in summary["definitions"]["metrics"].values():
        del definition["lowest"]
    summary["definitions"]["metrics"]["recall"]["title"] = "recall"
    (old / "summary.json").write_text(json.dumps(summary))
    check(old, new)


def test_another_formula_of_one_name_is_a_disagreement(write_run: Any) -> None:
    first, second = write_run("a", [0.5]), write_run("b", [0.5])
    summary = json.loads((second / "summary.json").read_text())
    summary["definitions"]["metrics"]["recall"]["meaning"] = "TP / all pixels."
    (second / "summary.json").write_text(json.dumps(summary))
    assert "metrics.recall.meaning is" in refusal(first, second)
