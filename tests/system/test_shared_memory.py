"""Shared memory that is too small for the workers' batches: fewer workers, a message, and never a hang."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lesionseg.system.shared_memory
from lesionseg.system.shared_memory import workers_that_fit

MB = 10**6
IN_LITTLE = ["unshare", "--mount", "bash", "-c", 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"', "bash"]
"""Runs a command with 64 kB of shared memory."""
LOAD = """
import sys
from pathlib import Path
import numpy as np
import lesionseg.system.shared_memory
from lesionseg.data.dataset import LesionDataset
from lesionseg.data.loader import loader
from lesionseg.training.faults import end_workers, fault_of

class Drawn:
    samples = [type("Drawn", (), {"id": "a"})] * 8
    is_quick = False
    def __getitem__(self, row):
        return np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), None

if sys.argv[1] == "unnoticed":
    lesionseg.system.shared_memory.free_shared_memory = lambda: None
data = LesionDataset(Drawn(), range(8), augment=None, full_size_masks=False)
try:
    print(len(list(loader(data, batch_size=8, num_workers=2, seed=0, shuffle=True))), "batch")
except RuntimeError as error:
    print(fault_of(error))
    end_workers()
"""
"""Loads a batch of 98 kB of images and 33 kB of masks."""


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Docker's 64 MB."""
    monkeypatch.setattr(lesionseg.system.shared_memory, "free_shared_memory", lambda: 64 * MB)
    return monkeypatch


@pytest.mark.parametrize(
    ("batch", "processes", "workers"),
    [
        (1 * MB, 1, 8),  # 18 batches
        (4 * MB, 1, 7),  # 16 batches, of which two are in use
        (4 * MB, 2, 3),
        (30 * MB, 1, 0),
        (100 * MB, 1, 0),
    ],
)
def test_workers_are_as_many_as_their_batches_fit(
    free: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, batch: int, processes: int, workers: int
) -> None:
    with caplog.at_level(logging.WARNING):
        assert workers_that_fit(8, batch_bytes=batch, processes=processes) == workers
    assert ("--shm-size" in caplog.text) == (workers < 8)


def test_where_the_system_has_no_such_folder_nothing_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesionseg.system.shared_memory, "FOLDER", Path("/no/such/folder"))
    assert workers_that_fit(8, batch_bytes=100 * MB, processes=1) == 8


def can_be_little() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and subprocess.run([*IN_LITTLE, "true"]).returncode == 0


@pytest.mark.parametrize(("noticed", "words"), [("noticed", "1 batch"), ("unnoticed", "shared memory is full")])
def test_64_kilobytes_neither_lose_a_batch_nor_hang(noticed: str, words: str) -> None:
    if not can_be_little():
        pytest.skip("only root on Linux may mount a file system of its own")
    command = [*IN_LITTLE, sys.executable, "-c", LOAD, noticed]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert words in done.stdout, done.stderr
