"""What the machine does to a training is told in words; what the program does wrong is not hidden."""

import errno
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lesionseg.data.loader import LOST
from lesionseg.errors import FaultError
from lesionseg.training.faults import FiniteLoss, end_workers, fault_of, faults_told


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


class Failing(LightningModule):
    """Its loss is not finite for the chosen batches; its one weight falls by 1 a step."""

    def __init__(self, bad: dict[int, float]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([10.0]))
        self.bad = bad

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.weight.sum() * self.bad.get(batch_idx, 1.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(folder: Path, bad: dict[int, float], action: Literal["stop", "skip"], most_skipped: int = 2) -> Any:
    callback = FiniteLoss(action=action, most_skipped=most_skipped, folder=folder / "debug")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        default_root_dir=folder,
        gradient_clip_val=2.0,
    )
    batches = [
        {"image": torch.full((1,), index), "mask": torch.ones(1), "id": [f"photo {index}"]} for index in range(6)
    ]
    module = Failing(bad)
    trainer.fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return module, callback


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_it_stops_names_the_batch_and_keeps_what_is_needed_to_see_why(tmp_path: Path, value: float) -> None:
    with pytest.raises(FaultError, match=r"photo 2.*lr"):
        fit(tmp_path, {2: value}, "stop")
    (path,) = (tmp_path / "debug").iterdir()
    kept = torch.load(path, weights_only=True)
    assert kept["id"] == ["photo 2"]
    assert kept["image"].tolist() == [2]
    assert kept["state_dict"]["weight"].item() == 8.0


def test_skipping_costs_the_batch_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    module, callback = fit(tmp_path, {1: float("nan"), 4: float("inf")}, "skip")
    assert module.weight.item() == 6.0
    assert callback.skipped == 2
    assert "photo 1" in caplog.text
    assert "photo 4" in caplog.text


def test_too_many_in_a_row_stop_it_after_all(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="photo 3"):
        fit(tmp_path, dict.fromkeys(range(1, 6), float("nan")), "skip")


def test_a_finite_loss_leaves_nothing(tmp_path: Path) -> None:
    module, callback = fit(tmp_path, {}, "stop")
    assert module.weight.item() == 4.0
    assert callback.skipped == 0
    assert not (tmp_path / "debug").exists()


@pytest.mark.parametrize("settings", [{"action": "ignore"}, {"most_skipped": 0}])
def test_a_wrong_setting_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"callbacks\.finite_loss"):
        FiniteLoss(**({"action": "stop", "most_skipped": 1, "folder": tmp_path} | settings))
