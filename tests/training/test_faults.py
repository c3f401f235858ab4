"""What the machine does to a training is told in words; what the program does wrong is not hidden."""

import errno
import multiprocessing
import os
import signal

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from lesionseg.data.loader import LOST
from lesionseg.errors import FaultError
from lesionseg.training.faults import end_workers, fault_of, faults_told


def test_a_full_disk_under_torch_save_is_one_too() -> None:
    """`/dev/full` takes no byte; torch words that in its own way."""
    with pytest.raises((OSError, RuntimeError)) as caught:
        torch.save({"weights": torch.zeros(100_000)}, "/dev/full")
    assert fault_of(caught.value) is not None


def test_too_little_gpu_memory_says_what_to_lower() -> None:
    words = str(fault_of(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")))
    assert all(
        setting in words for setting in ("batch_size", "image_size", "base_channels", "activation_checkpointing")
    )


def test_too_little_memory_on_a_cpu_is_told_too() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**62, dtype=torch.uint8)
    assert "memory is too small" in str(fault_of(caught.value))


class Killed(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_killed_data_worker_says_what_to_lower() -> None:
    with pytest.raises(RuntimeError) as caught:
        list(DataLoader(Killed(), num_workers=1))
    assert "num_workers" in str(fault_of(caught.value))


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), OSError(errno.EINVAL, "x"), KeyError("x")])
def test_faults_of_the_program_are_left_alone(error: Exception) -> None:
    assert fault_of(error) is None


class Stopped(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGSTOP)
        return index


def test_a_stopped_data_worker_is_not_waited_for_for_ever() -> None:
    batches = iter(DataLoader(Stopped(), num_workers=1, timeout=1))
    with pytest.raises(RuntimeError) as caught:
        next(batches)
    assert "num_workers" in str(fault_of(caught.value))
    (worker,) = multiprocessing.active_children()
    end_workers()
    worker.join(timeout=10)
    assert not worker.is_alive()


def test_a_worker_that_lost_a_batch_says_how_to_enlarge_shared_memory() -> None:
    lost = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    lost.__cause__ = RuntimeError(f"DataLoader worker (pid 7) exited unexpectedly with exit code {LOST}.")
    assert "shared memory is full" in str(fault_of(lost))


def test_a_fault_is_told_and_an_error_of_the_program_is_not_hidden() -> None:
    with pytest.raises(FaultError, match="memory is too small"), faults_told():
        raise MemoryError
    with pytest.raises(RuntimeError, match="a mistake of ours"), faults_told():
        raise RuntimeError("a mistake of ours")
