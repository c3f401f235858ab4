"""Sweeps on the command line: one failed job does not end them, and an interrupted one is gone on with."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionseg.system.run_folder import read_record

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

JOBS = ["-m", "experiment=smoke", "data.train=8", "data.validation=4", "data.test=0", "image_size=32", "batch_size=4"]
JOBS += ["trainer.max_epochs=1", "postprocessing.fit=false", "logger=csv", "trainer=cpu"]
JOBS += ["callbacks=[checkpoint,last_checkpoint,progress,model_summary]"]
JOBS += ["hydra.sweep.dir=sweep"]


@pytest.fixture(scope="session")
def run(run_verb: Callable[..., Done]) -> Run:
    return lambda folder, *words: run_verb(folder, "train", *words)


def states(sweep: Path) -> dict[str, str]:
    records = {path.name: read_record(path) for path in sweep.iterdir() if path.name.isdigit()}
    return {name: "none" if record is None else record.state for name, record in sorted(records.items())}


def without_times(leaderboard: Path) -> list[str]:
    """The leaderboard's lines without its last columns: started, ended and how long it took."""
    return [line.rsplit(",", 3)[0] for line in leaderboard.read_text().splitlines()]


@pytest.fixture(scope="module")
def sweep(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of three jobs, one of which cannot be."""
    folder = tmp_path_factory.mktemp("sweep")
    done = run(folder, *JOBS, "batch_size=4,0,2")
    assert done.returncode == 1, done.stderr
    return folder / "sweep"


def test_a_failed_job_does_not_end_the_sweep_and_is_listed_with_its_reason(sweep: Path) -> None:
    assert states(sweep) == {"0": "finished", "1": "failed", "2": "finished"}
    board = (sweep / "leaderboard.md").read_text()
    assert "batch_size is 0" in board
    assert (sweep / "leaderboard.csv").exists()
    assert (sweep / "sweep.png").stat().st_size > 0


def test_a_sweep_that_is_gone_on_with_leaves_finished_jobs_alone(run: Run, sweep: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("[02]/*") if path.is_file()}
    board = without_times(sweep / "leaderboard.csv")
    again = run(sweep.parent, "-m", "sweep.resume=sweep")
    assert again.returncode == 1
    assert "has ended before" in again.stdout
    changed = [path.name for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert set(changed) <= {"train.log"}
    assert without_times(sweep / "leaderboard.csv") == board


def test_a_damaged_job_record_fails_that_job_alone_until_it_is_removed(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path, *JOBS, "seed=0,1").returncode == 0
    board = without_times(tmp_path / "sweep" / "leaderboard.csv")
    record = tmp_path / "sweep" / "0" / "run.json"
    record.write_text("{")
    again = run(tmp_path, "-m", "sweep.resume=sweep")
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    assert "1 of 2 jobs failed" in again.stdout
    assert "run.json is damaged" in (tmp_path / "sweep" / "leaderboard.md").read_text()
    record.unlink()
    assert run(tmp_path, "-m", "sweep.resume=sweep").returncode == 0
    assert without_times(tmp_path / "sweep" / "leaderboard.csv") == board


def test_a_sweep_that_is_killed_and_gone_on_with_ends_as_one_that_was_not(
    run: Run, python: str, tmp_path: Path, sweep: Path
) -> None:
    command = [python, "-m", "lesionseg.train", *JOBS, "batch_size=4,0,2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch   1"):
                process.send_signal(signal.SIGKILL)
                break
    assert states(tmp_path / "sweep")["0"] == "running"
    assert run(tmp_path, "-m", "sweep.resume=sweep").returncode == 1
    assert states(tmp_path / "sweep") == states(sweep)
    assert without_times(tmp_path / "sweep" / "leaderboard.csv") == without_times(sweep / "leaderboard.csv")


def test_a_signal_ends_the_whole_sweep(python: str, tmp_path: Path) -> None:
    command = [python, "-m", "lesionseg.train", *JOBS, "seed=0,1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("on CPU"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        assert process.wait(timeout=120) == 130
    assert states(tmp_path / "sweep") == {"0": "interrupted"}


def test_a_job_that_takes_several_processes_gets_a_process_of_its_own(run: Run, tmp_path: Path) -> None:
    done = run(tmp_path, *JOBS, "trainer=ddp_cpu", "seed=0,1")
    assert done.returncode == 0, done.stderr
    assert states(tmp_path / "sweep") == {"0": "finished", "1": "finished"}
    results = json.loads((tmp_path / "sweep" / "1" / "run.json").read_text())["results"]
    assert "val/dice" in results
