"""The median rule, with values written down beforehand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from lesionseg.errors import PruningError
from lesionseg.system.run_folder import RunRecord, write_record
from lesionseg.training.pruning import FILE, Pruning, ended_jobs, median_of_means

MONITOR = "val/dice"


def make_job(sweep: Path, name: str, values: Mapping[int, float], **changes: Any) -> Path:
    record: dict[str, Any] = {"state": "finished", "overrides": [], "started": "2030-01-01T10:00:00+00:00"}
    monitor = changes.pop("monitor", MONITOR)
    write_record(sweep / name, RunRecord(**(record | changes)))
    (sweep / name / FILE).write_text(json.dumps({"monitor": monitor, "values": values}))
    return sweep / name


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep with three jobs that have ended; the means of their values are 0.5, 0.6 and 0.7 at any epoch."""
    folder = tmp_path / "sweep"
    for number, value in enumerate([0.5, 0.6, 0.7]):
        make_job(folder, str(number), dict.fromkeys(range(1, 6), value))
    (folder / "sweep.json").write_text("{}")
    return folder


def pruning(folder: Path, mode: Literal["min", "max"] = "max", **changes: Any) -> Pruning:
    settings = {"monitor": MONITOR, "mode": mode, "folder": folder, "warmup_epochs": 0, "at_least_jobs": 3}
    return Pruning(**(settings | changes))


def epochs_until_pruned(fit: Any, callback: Pruning, values: list[float], **options: Any) -> int | None:
    try:
        fit({"val/dice": values}, [callback], **options)
    except PruningError:
        return max(callback.history)
    return None


def test_the_median_of_running_means_is_that_of_the_paper() -> None:
    """Golovin et al.: for each completed trial the average of its values up to the step, then the median."""
    jobs = [{1: 0.0, 2: 1.0, 3: 9.0}, {1: 0.4, 2: 0.4}, {1: 0.2, 2: 0.8, 3: 0.0}]
    assert median_of_means(jobs, 1) == 0.2  # of 0, 0.4, 0.2
    assert median_of_means(jobs, 2) == pytest.approx(0.5)  # of 0.5, 0.4, 0.5
    assert median_of_means(jobs, 3) == pytest.approx(0.4)  # of 10/3, 0.4, 1/3: the second had stopped
    assert median_of_means(jobs, 0) is None


def test_a_job_is_given_up_once_its_best_is_worse_than_the_median(fit: Any, sweep: Path) -> None:
    callback = pruning(sweep / "3")
    with pytest.raises(PruningError, match=r"after epoch 1 its best val/dice, 0\.5900, is worse than 0\.6000") as error:
        fit({"val/dice": [0.59, 0.9, 0.9]}, [callback])
    assert error.value.results == {MONITOR: pytest.approx(0.59)}


def test_it_is_judged_by_its_best_and_not_by_its_last(fit: Any, sweep: Path) -> None:
    assert epochs_until_pruned(fit, pruning(sweep / "3"), [0.65, 0.1, 0.1, 0.1]) is None


def test_as_good_as_the_median_is_good_enough(fit: Any, sweep: Path) -> None:
    for name in ("1", "2"):
        make_job(sweep, name, {1: 0.5})
    assert epochs_until_pruned(fit, pruning(sweep / "3"), [0.5, 0.5, 0.5]) is None


def test_where_less_is_better_the_rule_is_turned_round(fit: Any, sweep: Path) -> None:
    assert epochs_until_pruned(fit, pruning(sweep / "3", "min"), [0.61, 0.1, 0.1]) == 1
    assert epochs_until_pruned(fit, pruning(sweep / "4", "min"), [0.59, 0.9, 0.9]) is None


def test_warm_up_epochs_are_everybodys(fit: Any, sweep: Path) -> None:
    assert epochs_until_pruned(fit, pruning(sweep / "3", warmup_epochs=2), [0.1] * 5) == 3


def test_too_few_jobs_have_ended_to_judge(fit: Any, sweep: Path) -> None:
    assert epochs_until_pruned(fit, pruning(sweep / "3", at_least_jobs=4), [0.1] * 4) is None


def test_in_its_last_epoch_a_job_is_let_through(fit: Any, sweep: Path) -> None:
    assert epochs_until_pruned(fit, pruning(sweep / "3"), [0.9, 0.1]) is None
    assert epochs_until_pruned(fit, pruning(sweep / "4"), [0.1]) is None


def test_a_run_that_is_no_job_of_a_sweep_is_never_given_up(fit: Any, sweep: Path) -> None:
    (sweep / "sweep.json").unlink()
    assert epochs_until_pruned(fit, pruning(sweep / "3"), [0.1] * 4) is None


def test_epochs_without_validation_judge_nothing(fit: Any, sweep: Path) -> None:
    callback = pruning(sweep / "3")
    assert epochs_until_pruned(fit, callback, [0.1] * 5, validate_every=2) == 2
    assert list(callback.history) == [2]


def test_no_value_is_taken_from_the_check_before_the_training(fit: Any, sweep: Path) -> None:
    callback = pruning(sweep / "3")
    epochs_until_pruned(fit, callback, [0.9, 0.8], sanity_steps=1)
    assert list(callback.history) == [1, 2]


def test_what_it_had_is_left_for_the_other_jobs(fit: Any, sweep: Path) -> None:
    epochs_until_pruned(fit, pruning(sweep / "3"), [0.75, float("nan"), 0.5])
    write_record(sweep / "3", RunRecord(state="pruned", overrides=[], started=""))
    assert list(ended_jobs(sweep / "0", MONITOR).values())[-1] == {1: pytest.approx(0.75), 3: pytest.approx(0.5)}
    assert [path.name for path in (sweep / "3").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_jobs_that_have_not_ended_well_are_not_compared_with(sweep: Path, state: Any) -> None:
    make_job(sweep, "3", {1: 0.9}, state=state)
    assert len(list(ended_jobs(sweep / "4", MONITOR).values())) == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"monitor": "val/dice"}', '{"monitor": "val/dice", "values": 3}'])
def test_damaged_files_of_other_jobs_are_passed_over(sweep: Path, damage: str) -> None:
    (sweep / "0" / FILE).write_text(damage)
    (sweep / "1" / "run.json").write_text("{")
    (sweep / "2" / "run.json").unlink()
    assert list(ended_jobs(sweep / "3", MONITOR).values()) == []


def test_jobs_that_monitor_something_else_are_not_compared_with(sweep: Path) -> None:
    make_job(sweep, "3", {1: 0.9}, monitor="val/loss")
    assert len(list(ended_jobs(sweep / "4", MONITOR).values())) == 3
    assert len(list(ended_jobs(sweep / "4", "val/loss").values())) == 1


def test_it_does_not_compare_with_itself(sweep: Path) -> None:
    assert len(list(ended_jobs(sweep / "2", MONITOR).values())) == 2


def test_a_resumed_job_is_judged_by_all_it_had(fit: Any, sweep: Path) -> None:
    before = pruning(sweep / "3")
    epochs_until_pruned(fit, before, [0.9, 0.8])
    after = pruning(sweep / "3")
    after.load_state_dict(before.state_dict())
    assert after.history == {1: pytest.approx(0.9), 2: pytest.approx(0.8)}
    assert after._best() == pytest.approx(0.9)


@pytest.mark.parametrize("settings", [{"warmup_epochs": -1}, {"at_least_jobs": 0}])
def test_a_wrong_setting_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"callbacks\.pruning"):
        pruning(tmp_path, **settings)


def test_jobs_that_are_known_are_not_read_again(sweep: Path) -> None:
    assert ended_jobs(sweep / "4", MONITOR, known=["0", "1", "2", "3"]) == {}
