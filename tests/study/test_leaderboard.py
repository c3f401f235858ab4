"""The leaderboard: exact for programs, rounded for people."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from lesionseg.study.leaderboard import csv_text, markdown, print_leaderboard, shortened, write_leaderboard
from lesionseg.study.sweep import read_sweep


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
        "- job 1 (failed): &lt;br> is 3 \\| 4",
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
    assert "with the decision that was fitted on them" in lines[7]
    assert csv_text(sweep).splitlines()[0].startswith("rank,job,state,seed,val_delivered/dice,val/dice,test/dice,")
    print_leaderboard(sweep)
    assert "with the decision that was fitted on them" in capsys.readouterr().out
