"""A run's folder is its own, by name and by a lock, and its record says how the run stands."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

import lesionseg.system.run_folder
from lesionseg.errors import InputError
from lesionseg.system.run_folder import RECORD, RunRecord, locked, new_folder, now, read_record, write_record

MAKE = "from lesionseg.system.run_folder import new_folder; print(new_folder('logs/x'))"


class Stopped(datetime):
    """A clock that stands still, as it does for two runs that start together, or after it was set back."""

    @classmethod
    def now(cls, tz: object = None) -> "Stopped":
        return cls(2026, 3, 29, 2, 30, 0, 5)


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lesionseg.system.run_folder, "_made", {})
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


def test_runs_that_start_in_the_same_microsecond_get_different_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesionseg.system.run_folder, "datetime", Stopped)
    names = []
    for _ in range(3):
        lesionseg.system.run_folder._made.clear()
        names.append(new_folder("logs/x"))
    first = "logs/x/2026-03-29_02-30-00-000005"
    assert names == [first, f"{first}_2", f"{first}_3"]


def test_processes_that_start_together_get_different_folders(tmp_path: Path) -> None:
    def make(_: int) -> str:
        return subprocess.run([sys.executable, "-c", MAKE], capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(make, range(4)))
    assert len(set(names)) == 4


def test_asked_again_it_means_the_same_folder() -> None:
    assert new_folder("logs/x") == new_folder("logs/x")
    assert new_folder("logs/x", "sweep_") != new_folder("logs/x")


def test_a_requeued_job_comes_back_to_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "5")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert new_folder("logs/x", resume="auto") == "logs/x/slurm_5_2"
    lesionseg.system.run_folder._made.clear()
    assert "slurm" not in new_folder("logs/x")


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(InputError, match="a run is going on there"), locked(tmp_path / "run"):
        pass


def test_it_is_free_again_afterwards_and_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from lesionseg.system.run_folder import locked\n"
        "with locked(Path('run')): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    with locked(tmp_path / "run"):
        pass
    with locked(tmp_path / "run"):
        pass


def test_the_other_processes_of_a_training_do_not_wait_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(tmp_path / "run"):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with locked(tmp_path / "run"):
            pass


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = RunRecord("finished", ["seed=1"], started=now(), ended=now(), results={"val/dice": 0.9})
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_where_no_run_has_been_there_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "asleep", "overrides": [], "started": ""}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("state", "well"),
    [("finished", True), ("pruned", True), ("running", False), ("interrupted", False), ("failed", False)],
)
def test_only_what_has_ended_well_needs_no_more_work(state: str, well: bool) -> None:
    assert RunRecord(state, [], started="").has_ended_well == well  # type: ignore[arg-type]
