"""A job that has run out of its time is put back into the queue, and no other."""

import signal
from pathlib import Path

import pytest

from lesionseg.system.slurm import job_number, requeue


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `scontrol` that writes down what it was asked for."""
    program = tmp_path / "scontrol"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    return tmp_path / "asked"


def test_the_warning_that_time_is_nearly_over_requeues(asked: Path) -> None:
    requeue(signal.SIGUSR1)
    assert asked.read_text() == "requeue 12\n"


def test_a_job_of_an_array_is_named_as_scontrol_does(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    requeue(signal.SIGUSR1)
    assert asked.read_text() == "requeue 9_3\n"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_job_does_not_come_back(asked: Path, signum: int) -> None:
    requeue(signum)
    assert not asked.exists()


def test_only_the_first_process_asks(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")
    requeue(signal.SIGUSR1)
    assert not asked.exists()


def test_outside_of_slurm_nothing_is_asked(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID")
    requeue(signal.SIGUSR1)
    assert job_number() is None
    assert not asked.exists()


def test_a_refusal_is_told(asked: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    (asked.parent / "scontrol").write_text("#!/bin/sh\nexit 1\n")
    requeue(signal.SIGUSR1)
    assert "could not be requeued" in caplog.text
