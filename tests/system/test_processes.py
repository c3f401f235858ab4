"""Ranks, forks, signals and SLURM jobs."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from lesionseg.errors import InputError, InterruptionError
from lesionseg.system.processes import (
    STOPPING,
    Signals,
    is_first_process,
    job_number,
    local_processes,
    process_rank,
    refuse_gpu_after_fork,
    requeue,
)


@pytest.mark.parametrize("number", STOPPING)
def test_a_deferred_signal_is_noted(number: int) -> None:
    signals = Signals()
    with signals.taken():
        signals.deferred = True
        os.kill(os.getpid(), number)
        assert signals.received == number


@pytest.mark.parametrize("number", STOPPING)
def test_at_other_times_it_stops_at_once(number: int) -> None:
    signals = Signals()
    with signals.taken(), pytest.raises(InterruptionError) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.signal_number == number


def test_a_second_one_is_not_put_off() -> None:
    signals = Signals()
    with signals.taken():
        signals.deferred = True
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(InterruptionError):
            os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = {number: signal.getsignal(number) for number in STOPPING}
    with Signals().taken():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in STOPPING} == before


def test_in_a_thread_nothing_is_taken() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def look() -> None:
        with Signals().taken():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]


def test_an_interruption_ends_what_catches_ordinary_errors() -> None:
    """Hydra goes on with the next job of a sweep after any `Exception`."""
    assert not issubclass(InterruptionError, Exception)


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"LOCAL_RANK": "1"}, 1),
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
        ({"RANK": "0", "SLURM_PROCID": "2"}, 0),
        ({"SLURM_PROCID": "2"}, 2),
        ({"SLURM_PROCID": ""}, 0),
    ],
)
def test_the_launchers_variables_say_which_process_this_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], rank: int
) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert process_rank() == rank
    assert is_first_process() == (rank == 0)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 8),
        ({"LOCAL_WORLD_SIZE": "4"}, 4),
        ({"SLURM_NTASKS_PER_NODE": "2"}, 2),
        ({"SLURM_NTASKS_PER_NODE": "20"}, 8),
    ],
)
def test_launchers_say_how_many_processes_are_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: int
) -> None:
    for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert local_processes(8) == expected


FORK = """
import os, signal, sys
import numpy as np, torch
import lesionseg
torch.set_num_threads(2)
segmenter = lesionseg.load(sys.argv[1], device="cpu", precision="fp32")
image = np.random.default_rng(0).integers(0, 255, (1500, 2000, 3), dtype=np.uint8)
expected = segmenter.predict(image)
child = os.fork()
if child == 0:
    signal.alarm(100)
    os._exit(0 if (segmenter.predict(image) == expected).all() else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Ends with the exit code of its child, which is 0 where it predicts what its parent did."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
def test_a_forked_child_predicts_what_its_parent_did(smoke_run: Path) -> None:
    command = [sys.executable, "-c", FORK, str(smoke_run / "checkpoints" / "best.ckpt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != -signal.SIGALRM, "the child waited for a thread that it does not have"
    assert done.returncode == 0, done.stderr


def test_a_model_on_a_gpu_is_refused_in_a_forked_child_with_the_way_out() -> None:
    refuse_gpu_after_fork(torch.device("cuda"), os.getpid())
    refuse_gpu_after_fork(torch.device("cpu"), os.getppid())
    with pytest.raises(InputError, match="'spawn' or 'forkserver'"):
        refuse_gpu_after_fork(torch.device("cuda"), os.getppid())


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
