"""Progress: a line after each epoch says where the training stands, with a terminal and without."""

import logging
import re
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import lesionseg.training.progress
from lesionseg.training.progress import Pace, Progress

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


BATCH = {"image": torch.zeros(4, 3, 1, 1, dtype=torch.uint8)}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Goes through epochs of batches, each a pair of seconds: waiting before it, and work on it."""
    now = [0.0]
    monkeypatch.setattr(lesionseg.training.progress, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def epochs(
        pace: Pace, *timed: Sequence[tuple[float, float]], validated_after: int | None = None, **facts: Any
    ) -> None:
        known = {"world_size": 1, "is_global_zero": True, "loggers": [], "train_dataloader": None, "global_step": 0}
        trainer: Any = SimpleNamespace(**(known | facts))
        trainer.strategy = SimpleNamespace(root_device=torch.device(facts.get("device", "cpu")))
        module: Any = None
        for batches in timed:
            pace.on_train_epoch_start(trainer, module)
            for index, (waiting, work) in enumerate(batches):
                now[0] += waiting
                pace.on_train_batch_start(trainer, module, BATCH, index)
                now[0] += work
                pace.on_train_batch_end(trainer, module, None, BATCH, index)
                if index == validated_after:
                    pace.on_validation_start(trainer, module)
                    now[0] += 1000
            pace.on_train_epoch_end(trainer, module)

    return epochs


def test_the_share_of_waiting_leaves_out_the_first_batch_for_which_workers_start(run: Any) -> None:
    pace = Pace(warn_above=1.0)
    run(pace, [(60, 3), (1, 3), (1, 3), (1, 3)])
    assert pace.waiting_share == pytest.approx(3 / 15)
    assert pace.images_per_second == pytest.approx(16 / 15)


def test_every_epoch_is_measured_anew(run: Any) -> None:
    pace = Pace(warn_above=1.0)
    run(pace, [(0, 1), (9, 1)], [(0, 1), (0, 1)])
    assert pace.waiting_share == 0
    assert pace.images_per_second == pytest.approx(4)


def test_a_validation_within_the_epoch_is_no_waiting(run: Any) -> None:
    pace = Pace(warn_above=1.0)
    run(pace, [(0, 1), (1, 1), (0, 1)], validated_after=1)
    assert pace.waiting_share == pytest.approx(1 / 4)


def test_nothing_is_said_before_anything_has_been_measured(run: Any) -> None:
    pace = Pace(warn_above=1.0)
    assert pace.images_per_second is None
    assert pace.waiting_share is None
    run(pace, [(5, 2)])
    assert pace.images_per_second == pytest.approx(2)
    assert pace.waiting_share is None


def test_an_epoch_that_goes_on_in_its_midst_has_no_start(run: Any) -> None:
    pace: Any = Pace(warn_above=1.0)
    trainer, module = SimpleNamespace(is_global_zero=True, loggers=[], world_size=1), None
    pace.on_train_batch_start(trainer, module, BATCH, 3)
    pace.on_train_batch_end(trainer, module, None, BATCH, 3)
    trainer.strategy = SimpleNamespace(root_device=torch.device("cpu"))
    pace.on_train_epoch_end(trainer, module)
    assert pace.waiting_share is None


def test_the_images_of_all_processes_count(run: Any) -> None:
    pace = Pace(warn_above=1.0)
    run(pace, [(0, 1), (0, 1)], world_size=3)
    assert pace.images_per_second == pytest.approx(12)


SLOW, QUICK = [(2.0, 1.0)] * 10, [(0.1, 1.0)] * 10


def test_much_waiting_is_told_once_in_one_line_with_what_to_do(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    batches = DataLoader(Sleeping(0), num_workers=0)
    run(Pace(warn_above=0.25), SLOW, SLOW, SLOW, train_dataloader=batches)
    (message,) = caplog.messages
    assert "\n" not in message
    assert "64 % of its time" in message  # 9 x 2 s of 9 x 2 s + 10 x 1 s
    assert "num_workers (now 0, for " in message
    assert all(word in message for word in ("data.cache=", "augmentation=light"))


@pytest.mark.parametrize(
    ("epochs", "facts"),
    [
        ([SLOW], {}),
        ([QUICK, QUICK], {}),
        ([SLOW, SLOW[:9]], {}),
        ([SLOW, SLOW], {"is_global_zero": False}),
        ([SLOW, SLOW], {"world_size": 2, "device": "cuda"}),
    ],
    ids=["the first epoch", "little waiting", "few batches", "another process", "several GPUs"],
)
def test_what_says_little_is_not_told(
    run: Any, caplog: pytest.LogCaptureFixture, epochs: Any, facts: dict[str, Any]
) -> None:
    caplog.set_level(logging.INFO)
    run(Pace(warn_above=0.25), *epochs, **facts)
    assert caplog.messages == []


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_out_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"callbacks\.pace\.warn_above is .*; allowed: 0 to 1"):
        Pace(warn_above=share)


class Sleeping(Dataset[dict[str, Tensor]]):
    """Items that take their time to read."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 12

    def __getitem__(self, _: int) -> dict[str, Tensor]:
        time.sleep(self.seconds)
        return {"image": torch.zeros(1)}


class Busy(LightningModule):
    """Steps that take their time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        time.sleep(self.seconds)
        return self.weight.sum()

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        time.sleep(0.01)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fitted(folder: Path, *, reading: float, working: float, logger: Any = False, validate: float = 1.0) -> Pace:
    pace = Pace(warn_above=0.5)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=[pace, Progress(monitor="val/dice", mode="max")],
        logger=logger,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        val_check_interval=validate,
        default_root_dir=folder,
    )
    batches = DataLoader(Sleeping(reading))
    trainer.fit(Busy(working), batches, DataLoader(Sleeping(0)))
    return pace


@pytest.mark.parametrize(("reading", "working", "waits"), [(0.03, 0.0, True), (0.0, 0.03, False)])
def test_in_a_training_it_tells_slow_reading_from_slow_steps(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    reading: float,
    working: float,
    waits: bool,
) -> None:
    pace = fitted(tmp_path, reading=reading, working=working)
    assert pace.waiting_share is not None
    assert (pace.waiting_share > 0.5) == waits
    assert any("The training waits for images" in message for message in caplog.messages) == waits
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2
    assert all(re.search(r" s   \d+ images/s   waiting \d+ %   ", line) for line in lines)


def test_validations_within_an_epoch_do_not_make_it_wait(tmp_path: Path) -> None:
    """One after every batch, each of a tenth of a second."""
    pace = fitted(tmp_path, reading=0.0, working=0.02, validate=1 / 12)
    assert pace.waiting_share == 0


def test_tensorboard_has_it_under_its_own_name_and_metrics_do_not(tmp_path: Path) -> None:
    fitted(tmp_path, reading=0.0, working=0.01, logger=TensorBoardLogger(tmp_path, name="", version="tb"))
    events = EventAccumulator(str(tmp_path / "tb"))
    events.Reload()
    told = {name: events.Scalars(name) for name in events.Tags()["scalars"] if name.startswith("pace/")}
    assert set(told) == {"pace/images_per_second", "pace/waiting_share"}
    assert all([event.step for event in told[name]] == [12, 24] for name in told)
    assert 0 < told["pace/images_per_second"][0].value < 100  # a step takes a hundredth of a second
    assert all(0 <= event.value <= 1 for event in told["pace/waiting_share"])
