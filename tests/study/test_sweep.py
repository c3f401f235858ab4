"""What is read of a sweep's folder, whatever state its jobs are in."""

from pathlib import Path
from typing import Any

import pytest

from lesionseg.errors import InputError
from lesionseg.study.sweep import REMOVED, read_sweep


def test_the_best_comes_first_by_the_mode_that_the_jobs_name(make_sweep: Any) -> None:
    settings = [{"seed": seed} for seed in range(3)]
    highest = make_sweep(settings, [0.5, 0.9, 0.7])
    assert [job.name for job in highest.ranking] == ["1", "2", "0"]
    assert [highest.rank(job) for job in highest.ranking] == [1, 2, 3]


def test_where_less_is_better_the_smallest_comes_first(make_sweep: Any) -> None:
    lowest = make_sweep([{"seed": seed} for seed in range(3)], [0.5, 0.9, 0.7], mode="min")
    assert [job.name for job in lowest.ranking] == ["0", "2", "1"]


def test_finished_jobs_come_before_pruned_interrupted_running_and_failed_ones(make_job: Any, tmp_path: Path) -> None:
    value = {"val/dice": 0.9}
    for number, state in enumerate(["failed", "running", "interrupted", "pruned"]):
        make_job(number, [], value, state=state)
    make_job(4, [], {"val/dice": 0.1})
    sweep = read_sweep(tmp_path)
    assert [job.state for job in sweep.ranking] == ["finished", "pruned", "interrupted", "running", "failed"]
    assert [sweep.rank(job) for job in sweep.ranking] == [1, None, None, None, None]
    assert [job.state for job in sweep.failed] == ["failed", "running", "interrupted"]


def test_a_value_that_is_no_number_is_worse_than_any(make_sweep: Any) -> None:
    sweep = make_sweep([{"seed": seed} for seed in range(3)], [float("nan"), 0.1, float("inf")])
    assert [job.name for job in sweep.ranking] == ["1", "0", "2"]
    assert [sweep.rank(job) for job in sweep.ranking] == [1, None, None]


def test_equal_jobs_stay_in_the_order_of_their_numbers(make_sweep: Any) -> None:
    sweep = make_sweep([{"seed": seed} for seed in range(12)], [0.5] * 12)
    assert [job.name for job in sweep.ranking] == [str(number) for number in range(12)]


def test_a_job_without_a_record_is_listed_with_what_hydra_has_noted(make_job: Any, tmp_path: Path) -> None:
    make_job(0, ["seed=1"], {"val/dice": 0.9})
    (make_job(1, ["seed=2"]) / "run.json").unlink()
    job = read_sweep(tmp_path).ranking[1]
    assert (job.state, job.overrides, job.reason) == ("missing", {"seed": "2"}, "it has left no run.json")


@pytest.mark.parametrize("contents", [b"", b"{", b"[]", b'{"state": "lost"}', b"\xff\xfe"])
def test_a_job_whose_record_is_damaged_is_listed_with_that(make_job: Any, tmp_path: Path, contents: bytes) -> None:
    make_job(0, ["seed=1"], {"val/dice": 0.9})
    (make_job(1, ["seed=2"]) / "run.json").write_bytes(contents)
    job = read_sweep(tmp_path).ranking[1]
    assert (job.state, job.overrides) == ("damaged", {"seed": "2"})
    assert "run.json is damaged" in str(job.reason)


def test_parameters_are_the_overrides_that_differ(make_job: Any, tmp_path: Path) -> None:
    same = ["+search=network", "trainer=cpu"]
    make_job(0, [*same, "optimizer.lr=0.1", "++model.depth=3", "~callbacks.ema"])
    make_job(1, [*same, "optimizer.lr=0.2", "++model.depth=3", "+callbacks.ema=x=y"])
    make_job(2, [])  # of this one nothing is known
    sweep = read_sweep(tmp_path)
    assert sweep.parameters == ["optimizer.lr", "callbacks.ema"]
    assert [job.overrides.get("callbacks.ema") for job in sweep.jobs] == [REMOVED, "x=y", None]


def test_jobs_may_have_names(make_job: Any, tmp_path: Path) -> None:
    make_job("seed=1", ["seed=1"], {"val/dice": 0.9})
    (tmp_path / "pictures").mkdir()
    assert [job.name for job in read_sweep(tmp_path).jobs] == ["seed=1"]


def test_what_is_monitored_comes_from_the_jobs_own_configuration_first(make_job: Any, tmp_path: Path) -> None:
    make_job(0)
    (make_job(1) / "config.yaml").write_text("monitor: val/loss\nmonitor_mode: min\n")
    sweep = read_sweep(tmp_path)
    assert (sweep.monitor, sweep.mode) == ("val/loss", "min")


def test_a_job_takes_from_its_start_to_its_end(make_job: Any, tmp_path: Path) -> None:
    make_job(0)
    make_job(1, ended=None)
    make_job(2, ended="yesterday")
    assert [job.seconds for job in read_sweep(tmp_path).jobs] == [90, None, None]


def test_a_folder_without_jobs_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="no job of a sweep"):
            read_sweep(folder)


def test_jobs_that_do_not_say_what_they_monitor_are_refused(make_job: Any, tmp_path: Path) -> None:
    (make_job(0) / "hydra" / "config.yaml").write_text("{")
    with pytest.raises(InputError, match="what is monitored"):
        read_sweep(tmp_path)


def test_jobs_are_ranked_by_what_they_deliver(make_job: Any, tmp_path: Path) -> None:
    make_job(0, [], {"val/dice": 0.039, "val_delivered/dice": 0.514})
    make_job(1, [], {"val/dice": 0.4, "val_delivered/dice": 0.45})
    make_job(2, [], {"val/dice": 0.2}, state="pruned")
    sweep = read_sweep(tmp_path)
    assert (sweep.ranked_by, [job.name for job in sweep.ranking]) == ("val_delivered/dice", ["0", "1", "2"])
    assert [sweep.value(job) for job in sweep.ranking] == [0.514, 0.45, 0.2]


def test_earlier_sweeps_and_jobs_without_a_fitted_decision_are_ranked_by_the_monitor(
    make_job: Any, tmp_path: Path
) -> None:
    make_job(0, [], {"val/dice": 0.5, "val_delivered/dice": 0.9})
    make_job(1, [], {"val/dice": 0.6})
    sweep = read_sweep(tmp_path)
    assert (sweep.ranked_by, [job.name for job in sweep.ranking]) == ("val/dice", ["1", "0"])
