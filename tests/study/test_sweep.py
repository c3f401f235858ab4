"""What is read of a sweep's folder, whatever state its jobs are in, and its leaderboard."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from lesionseg.errors import InputError
from lesionseg.study.sweep import (
    REMOVED,
    csv_text,
    markdown,
    print_leaderboard,
    read_sweep,
    shortened,
    write_leaderboard,
)


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


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_the_csv_has_every_number_in_full(make_job: Any, tmp_path: Path) -> None:
    results = {"val/dice": 0.1 + 0.2, "val/loss": 0.25, "test/dice": 1 / 3, "epoch": 4.0}
    make_job(0, ["optimizer.lr=0.00037454011884736254", "model.block=plain"], results)
    make_job(1, ["optimizer.lr=0.1", "model.block=residual"], state="failed", reason="too large, by\nfar")
    first, second = rows(csv_text(read_sweep(tmp_path)))
    assert first == {
        "rank": "1",
        "job": "0",
        "state": "finished",
        "optimizer.lr": "0.00037454011884736254",
        "model.block": "plain",
        "val/dice": "0.30000000000000004",
        "test/dice": "0.3333333333333333",
        "epoch": "4.0",
        "val/loss": "0.25",
        "reason": "",
        "started": "2030-01-01T10:00:00+00:00",
        "ended": "2030-01-01T10:01:30+00:00",
        "seconds": "90",
    }
    assert (second["rank"], second["val/dice"], second["reason"]) == ("", "", "too large, by far")


def test_the_same_jobs_at_another_time_differ_in_the_last_three_columns_alone(make_job: Any, tmp_path: Path) -> None:
    def jobs(hour: int) -> list[str]:
        for number in range(3):
            time = f"2030-01-01T{hour + number}:00:00+00:00"
            folder = make_job(f"{hour}/{number}", [f"seed={number}"], {"val/dice": number / 7}, started=time)
            assert folder.is_dir()
        return csv_text(read_sweep(tmp_path / str(hour))).splitlines()

    first, second = jobs(11), jobs(15)
    assert first != second
    assert [line.rsplit(",", 3)[0] for line in first] == [line.rsplit(",", 3)[0] for line in second]


def test_writing_it_again_gives_the_same_bytes_and_leaves_nothing_else(make_sweep: Any) -> None:
    sweep = make_sweep([{"seed": 0}, {"seed": 1}], [0.5, 0.6])
    names = ("leaderboard.csv", "leaderboard.md")
    write_leaderboard(sweep)
    before = [(sweep.folder / name).read_bytes() for name in names]
    (sweep.folder / "leaderboard.md").write_text("another\n" * 1000)
    write_leaderboard(sweep)
    assert [(sweep.folder / name).read_bytes() for name in names] == before
    assert sorted(path.name for path in sweep.folder.iterdir()) == ["0", "1", *names]


def test_the_markdown_table_is_rounded_and_says_why_jobs_have_not_finished(make_job: Any, tmp_path: Path) -> None:
    make_job(0, ["optimizer.lr=0.00037454011884736254"], {"val/dice": 0.87654321, "test/dice": 0.8})
    make_job(1, ["optimizer.lr=0.1"], state="failed", reason="<br> is 3 | 4")
    make_job(2, ["optimizer.lr=0.2"], {"val/dice": 0.4}, state="pruned", reason="hopeless")
    lines = markdown(read_sweep(tmp_path)).splitlines()
    assert lines[0] == "**3 jobs by val/dice, highest first**"
    assert lines[2] == "| rank | job | state | optimizer.lr | val/dice | test/dice | minutes |"
    assert lines[4] == "| 1 | 0 | finished | 0.0003745 | 0.8765 | 0.8000 | 1.5 |"
    assert lines[5] == "| - | 2 | pruned | 0.2 | 0.4000 | - | 1.5 |"
    assert lines[-4:] == [
        "2 of 3 jobs have not finished:",
        "",
        "- job 2 (pruned): hopeless",
        r"- job 1 (failed): \<br> is 3 \| 4",
    ]


def test_a_sweep_of_one_job_has_no_parameters(make_sweep: Any) -> None:
    assert markdown(make_sweep([{"seed": 0}], [0.5])).splitlines()[4] == "| 1 | 0 | finished | 0.5000 | 1.5 |"


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("0.00037454011884736254", "0.0003745"),
        ("1e-05", "1e-05"),
        ("0.995", "0.995"),
        ("[bce,lovasz]", "[bce,lovasz]"),
        ("123456789012", "1.235e+11"),
        ("infinity and beyond", "infinity and beyond"),
        ("-infinity", "-infinity"),
    ],
)
def test_drawn_numbers_are_shortened_and_words_are_not(value: str, short: str) -> None:
    assert shortened(value) == short


def test_the_terminal_shows_the_best_jobs_and_every_reason(make_sweep: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make_sweep([{"seed": f"[{number}]"} for number in range(40)], [None, *(n / 100 for n in range(39))])
    print_leaderboard(sweep)
    printed = capsys.readouterr().out
    assert re.search(r"^ +1 +39 +finished +\[39\] +0\.3800", printed, re.MULTILINE)
    assert "[9]" not in printed
    assert "... and 10 more, see leaderboard.md" in printed
    assert "job 0 (failed): no luck" in printed


def test_what_is_delivered_and_what_was_monitored_are_both_columns_and_explained(
    make_job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_job(0, ["seed=1"], {"val/dice": 0.039, "val_delivered/dice": 0.514, "test/dice": 0.5})
    make_job(1, ["seed=2"], {"val/dice": 0.4, "val_delivered/dice": 0.45, "test/dice": 0.4})
    sweep = read_sweep(tmp_path)
    lines = markdown(sweep).splitlines()
    assert lines[0] == "**2 jobs by val_delivered/dice, highest first**"
    assert lines[2] == "| rank | job | state | seed | val_delivered/dice | val/dice | test/dice | minutes |"
    assert lines[4] == "| 1 | 0 | finished | 1 | 0.5140 | 0.0390 | 0.5000 | 1.5 |"
    assert "with the post-processing that was fitted on them" in lines[7]
    assert csv_text(sweep).splitlines()[0].startswith("rank,job,state,seed,val_delivered/dice,val/dice,test/dice,")
    print_leaderboard(sweep)
    assert "with the post-processing that was fitted on them" in " ".join(capsys.readouterr().out.split())
