"""Progress: a line after each epoch says where the training stands, with a terminal and without."""

import re
import sys
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

import lesionseg.training.progress
from lesionseg.training.progress import Progress

VALUES = {
    "train/loss": [0.9, 0.7, 0.6, 0.5],
    "val/loss": [0.8, 0.75, 0.7, 0.65],
    "val/dice": [0.2, 0.6, 0.4, 0.7],
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds pass from each look at the clock to the next: two looks an epoch and one before the first."""
    ticks = count(0, 10)
    monkeypatch.setattr(lesionseg.training.progress, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))


def epoch_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    return [match.group() for line in plain.splitlines() if (match := re.search(r"epoch +\d+/.*left", line))]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_after_each_epoch_tells_losses_best_so_far_and_time(
    fit: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, clock: None, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    fit(VALUES, [Progress(monitor="val/dice", mode="max")])
    assert epoch_lines(capsys) == [
        "epoch   1/4   train/loss 0.9000   val/loss 0.8000   val/dice 0.2000 (best)   10.0 s   1.0 min left",
        "epoch   2/4   train/loss 0.7000   val/loss 0.7500   val/dice 0.6000 (best)   10.0 s   40 s left",
        "epoch   3/4   train/loss 0.6000   val/loss 0.7000   val/dice 0.4000 (best 0.6000)   10.0 s   20 s left",
        "epoch   4/4   train/loss 0.5000   val/loss 0.6500   val/dice 0.7000 (best)   10.0 s   0 s left",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_only_a_terminal_gets_a_bar_and_it_is_not_redrawn_more_than_a_few_times_a_second(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Each redrawing takes time from a core that could train."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    bar = Progress(monitor="val/dice", mode="max")
    assert bar.is_enabled == terminal
    assert bar.refresh_rate <= 10


def test_smaller_is_better_where_the_mode_says_so(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit({"val/loss": [0.5, 0.7, 0.4]}, [Progress(monitor="val/loss", mode="min")])
    told = [re.findall(r"\(best.*?\)", line) for line in epoch_lines(capsys)]
    assert told == [["(best)"], ["(best 0.5000)"], ["(best)"]]


def test_a_value_that_is_not_there_is_left_out(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit({"train/loss": [0.5]}, [Progress(monitor="val/dice", mode="max")])
    (line,) = epoch_lines(capsys)
    assert line.startswith("epoch   1/1   train/loss 0.5000   ")
    assert "val" not in line


def test_without_a_terminal_there_are_no_control_characters(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit(VALUES, [Progress(monitor="val/dice", mode="max")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\r" not in out


def test_a_resumed_run_remembers_the_best(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before = Progress(monitor="val/dice", mode="max")
    fit({"val/dice": [0.6]}, [before])
    after = Progress(monitor="val/dice", mode="max")
    after.load_state_dict(before.state_dict())
    epoch_lines(capsys)
    fit({"val/dice": [0.5]}, [after])
    assert "(best 0.6000)" in epoch_lines(capsys)[0]


def test_an_epoch_without_a_validation_shows_no_old_value(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit(VALUES, [Progress(monitor="val/dice", mode="max")], validate_every=2)
    assert ["val/dice" in line for line in epoch_lines(capsys)] == [False, True, False, True]
