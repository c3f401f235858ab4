"""Trainings in processes of their own, here of a stand-in that trains nothing."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from lesionseg.errors import InterruptionError
from lesionseg.study.crossval_child import LOG
from lesionseg.study.crossval_plan import Training
from lesionseg.study.crossval_running import Trainings
from lesionseg.system.run_folder import read_record

STAND_IN = """#!{python}
import json, os, signal, sys, time
from pathlib import Path

words = dict(word.lstrip("+").split("=", 1) for word in sys.argv[3:] if "=" in word)
folder = Path(words["hydra.run.dir"].strip("'"))

def record(state, reason=None):
    contents = {{"state": state, "overrides": [], "started": "now", "reason": reason}}
    (folder / "run.json").write_text(json.dumps(contents))

def stop(number, frame):
    record("interrupted", "SIGTERM: stopped after epoch 1")
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
record("running")
print("a table nobody needs", flush=True)
print("epoch   1/2   val/dice 0.5", os.environ.get("OMP_NUM_THREADS"), flush=True)
(folder / "began").write_text(str(time.time()))
deadline = time.time() + float(words.get("seconds", 0))
while time.time() < deadline:
    time.sleep(0.02)
(folder / "ended").write_text(str(time.time()))
kind = words.get("kind", "good")
if kind == "good":
    record("finished")
elif kind == "refused":
    print("\\nlesionseg: the split leaks:\\n  - a (train), b (test)", file=sys.stderr)
    sys.exit(2)
elif kind == "failed":
    record("failed", "the disk is full")
    sys.exit(1)
elif kind == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
else:
    sys.exit(3)
"""


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stand_in"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(path))


def training(tmp_path: Path, number: int, *words: str) -> Training:
    return Training(tmp_path / f"fold_{number}", number, None, words)


def times(one: Training) -> tuple[float, float]:
    return float((one.folder / "began").read_text()), float((one.folder / "ended").read_text())


def test_output_goes_to_a_file_and_epochs_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = training(tmp_path, 0)
    Trainings([{"OMP_NUM_THREADS": "3"}], []).run([one])
    assert (one.folder / LOG).read_text() == "a table nobody needs\nepoch   1/2   val/dice 0.5 3\n"
    shown = capsys.readouterr().out
    assert "fold_0  epoch   1/2   val/dice 0.5 3\n" in shown
    assert "table" not in shown


def test_one_that_fails_ends_no_other_and_says_why(tmp_path: Path) -> None:
    kinds = ["good", "refused", "failed", "killed", "strange", "good"]
    trainings = [training(tmp_path, number, f"kind={kind}") for number, kind in enumerate(kinds)]
    runner = Trainings([{}, {}], [])
    runner.run(trainings)
    assert runner.failures == {
        "fold_1": "the split leaks: - a (train), b (test)",
        "fold_2": "the disk is full",
        "fold_3": "its process was killed by SIGKILL",
        "fold_4": "its process ended with exit code 3",
    }


@pytest.mark.parametrize(("places", "overlaps"), [(1, False), (2, True)])
def test_as_many_run_at_a_time_as_there_are_places(tmp_path: Path, places: int, overlaps: bool) -> None:
    trainings = [training(tmp_path, number, "seconds=1") for number in range(2)]
    Trainings([{}] * places, []).run(trainings)
    (_, first_end), (second_start, _) = map(times, trainings)
    assert (second_start < first_end) == overlaps


def test_what_an_earlier_attempt_has_printed_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = training(tmp_path, 0)
    one.folder.mkdir()
    (one.folder / LOG).write_text("epoch   0 of an earlier attempt\n")
    Trainings([{}], []).run([one])
    assert (one.folder / LOG).read_text().startswith("epoch   0 of an earlier attempt\na table")
    assert "earlier attempt" not in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_handed_on_and_all_are_waited_for(tmp_path: Path, number: signal.Signals) -> None:
    running = [training(tmp_path, fold, "seconds=60") for fold in range(2)]
    waiting = training(tmp_path, 2)

    def send() -> None:
        while not all((one.folder / "began").exists() for one in running):
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(InterruptionError, match=number.name) as caught:
        Trainings([{}, {}], []).run([*running, waiting])
    sender.join()
    assert caught.value.signal_number == number
    records = [read_record(one.folder) for one in running]
    assert [None if record is None else record.state for record in records] == ["interrupted"] * 2
    assert not waiting.folder.exists()
