"""Trainings in processes of their own, here of a stand-in that trains nothing."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.errors import InterruptionError
from lesionseg.study import crossval_training as module
from lesionseg.study.crossval_plan import Training
from lesionseg.study.crossval_training import GPUS, LOG, THREADS, Trainings, shares_of_machine
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


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores, no GPU, nothing set."""
    monkeypatch.setattr(module, "usable_cores", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for name in (GPUS, THREADS):
        monkeypatch.delenv(name, raising=False)


def configured(**trainer: Any) -> DictConfig:
    return OmegaConf.create({"trainer": {"accelerator": "auto", "devices": 1} | trainer})


@pytest.mark.usefixtures("eight_cores")
def test_a_cpu_runs_one_training_with_all_its_cores() -> None:
    assert shares_of_machine(configured(), jobs=None, most=5) == [{}]


@pytest.mark.usefixtures("eight_cores")
def test_several_on_a_cpu_share_its_cores() -> None:
    assert shares_of_machine(configured(), jobs=3, most=5) == [{THREADS: "2"}] * 3


@pytest.mark.usefixtures("eight_cores")
def test_more_than_there_are_cores_get_one_each() -> None:
    assert shares_of_machine(configured(), jobs=9, most=9) == [{THREADS: "1"}] * 9


@pytest.mark.usefixtures("eight_cores")
def test_fewer_threads_stay_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS, "3")
    assert shares_of_machine(configured(), jobs=2, most=2) == [{THREADS: "3"}] * 2
    assert shares_of_machine(configured(), jobs=4, most=4) == [{THREADS: "2"}] * 4


@pytest.mark.usefixtures("eight_cores")
def test_there_are_no_more_places_than_trainings() -> None:
    assert len(shares_of_machine(configured(), jobs=8, most=2)) == 2


@pytest.mark.usefixtures("eight_cores")
def test_each_gpu_gets_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert shares_of_machine(configured(), jobs=None, most=5) == [{GPUS: "0", THREADS: "4"}, {GPUS: "1", THREADS: "4"}]
    assert [share[GPUS] for share in shares_of_machine(configured(), jobs=3, most=5)] == ["0", "1", "0"]


@pytest.mark.usefixtures("eight_cores")
def test_only_gpus_that_may_be_seen_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv(GPUS, "3, 5")
    assert [share[GPUS] for share in shares_of_machine(configured(), jobs=None, most=5)] == ["3", "5"]


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize("trainer", [{"accelerator": "cpu"}, {"devices": 2}])
def test_no_gpu_is_given_to_what_wants_none_or_several(
    monkeypatch: pytest.MonkeyPatch, trainer: dict[str, Any]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert shares_of_machine(configured(**trainer), jobs=None, most=5) == [{}]
