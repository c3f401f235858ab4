"""Finding evaluations and reading them, or saying what is wrong with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionseg.errors import InputError
from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.study.scored_run import read_run, read_runs

METRICS = definitions_of(standard_formulas())


def test_scores_are_sorted_by_id_whatever_the_order_of_rows(write_run: Any) -> None:
    run = read_run(write_run("a", [0.9, 0.5, 0.7], ids=["c", "a", "b"]))
    assert list(run.targets.items()) == [("a", "t a"), ("b", "t b"), ("c", "t c")]
    assert run.of("jaccard").tolist() == [0.5, 0.7, 0.9]
    assert run.of("failure").tolist() == [1, 0, 0]
    assert run.scores.dtype == np.float64


def test_a_folder_above_evaluations_stands_for_all_of_them(write_run: Any, tmp_path: Path) -> None:
    for name in ("sweep/0", "sweep/1", "sweep/deep/er/2"):
        write_run(name, [0.5])
    single = write_run("single", [0.5])
    found = read_runs([str(tmp_path / "sweep"), str(single), str(tmp_path / "sweep" / "1")])
    assert [run.folder.name for run in found] == ["0", "1", "2", "single"]


def test_every_fault_is_listed_at_once(write_run: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    without_table = write_run("without table", [0.5])
    (without_table / "per_image.csv").unlink()
    no_json = write_run("no json", [0.5])
    (no_json / "summary.json").write_text("{")
    other_json = write_run("other json", [0.5])
    (other_json / "summary.json").write_text('{"name": "x"}')
    places = [tmp_path / "empty", without_table, no_json, other_json, tmp_path / "nowhere"]
    with pytest.raises(InputError) as error:
        read_runs([str(place) for place in places])
    message = str(error.value)
    assert message.count("\n  - ") == 5
    assert all(str(place) in message for place in places)
    assert "nowhere does not exist" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("i1,", "i0,", "an id twice"),
        ("0.5", "nan", "no finite number"),
        ("0.5", "much", "much"),
        ("hd95_px", "hd95_cm", "no column 'hd95_px'"),
        ("target_sha256", "target", "no column 'target_sha256'"),
    ],
)
def test_a_damaged_table_is_refused(write_run: Any, old: str, new: str, words: str) -> None:
    folder = write_run("a", [0.5, 0.75])
    table = folder / "per_image.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(InputError, match=words):
        read_run(folder)


def test_a_table_that_ends_too_early_is_refused(write_run: Any) -> None:
    folder = write_run("a", [0.5, 0.75])
    table = folder / "per_image.csv"
    table.write_text(table.read_text()[:-60])
    with pytest.raises(InputError, match=r"per_image\.csv is damaged"):
        read_run(folder)


def test_one_run_is_too_few_even_if_named_twice(write_run: Any) -> None:
    folder = write_run("a", [0.5])
    with pytest.raises(InputError, match="at least 2"):
        read_runs([str(folder), str(folder / "..") + "/a"])
