"""A training that is killed or asked to stop, and resumed, ends as one that was not."""

import copy
import filecmp
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError
from lesionseg.system.run_folder import read_record
from lesionseg.training.checkpoints import LAST, NEXT, PREVIOUS
from lesionseg.training.resuming import checkpoint_to_resume, resumed_config, same_config, same_split

Run = Callable[..., subprocess.CompletedProcess[str]]

SETTINGS = ["experiment=smoke", "trainer.max_epochs=4", "data.train=24", "batch_size=4", "model.base_channels=2"]
SETTINGS += ["image_size=32", "model.dropout=0.2", "scheduler=plateau", "scheduler.patience=0", "trainer=cpu"]
SETTINGS += ["trainer.max_epochs=4", "trainer.precision=32-true", "evaluation.resamples=100"]
SETTINGS += ["callbacks.confusion_matrix=null", "logger=csv"]

PATHS = "best_k_models"
STOP = """
import os, signal, sys
from lightning.pytorch import Callback
from lesionseg.training.checkpoints import LastCheckpoint
place, number, signum = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.argv[1:] = sys.argv[4:]
original = getattr(LastCheckpoint, place, None) or getattr(Callback, place)
calls = 0
def stopping(self, *arguments, **named):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), signum)
    return original(self, *arguments, **named)
setattr(LastCheckpoint, place, stopping)
from lesionseg.train import main
main()
"""
"""Runs a training that gets a signal when a hook is called for the so-many-th time."""


@pytest.fixture(scope="session")
def train(run_verb: Run) -> Run:
    return lambda folder, *words: run_verb(folder, "train", *words)


@pytest.fixture(scope="session")
def train_until(python: str) -> Run:
    """Trains until a hook is called for the so-many-th time: `train_until(folder, hook, 2, signal.SIGTERM, *words)`."""

    def run(folder: Path, hook: str, call: int, signum: int, *words: str) -> subprocess.CompletedProcess[str]:
        command = [python, "-c", STOP, hook, str(call), str(int(signum)), *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)

    return run


@pytest.fixture(scope="module")
def whole(train: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has happened to."""
    folder = tmp_path_factory.mktemp("whole")
    done = train(folder, *SETTINGS, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def differences(run: Path, whole: Path) -> list[str]:
    """Names what differs between two runs in weights, training state, logged numbers or results."""
    found = [
        f"{name}: {place}"
        for name in ("best", "last")
        for place in differing(
            trained(run / "checkpoints" / f"{name}.ckpt"), trained(whole / "checkpoints" / f"{name}.ckpt"), ""
        )
    ]
    files = ("metrics.json", "csv/metrics.csv", "per_image.csv", "decision.json", "samples.png")
    return found + [name for name in files if not filecmp.cmp(run / name, whole / name, shallow=False)]


def trained(path: Path) -> dict[str, Any]:
    """What of a checkpoint is the same in every run of the same settings."""
    checkpoint = read(path)
    kept = {key: checkpoint[key] for key in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")}
    kept |= {key: checkpoint[key] for key in ("current_model_state", "averaging_state")}
    names = ("BestCheckpoint", "EarlyStopping", "Curves")
    callbacks = {
        key.partition("{")[0]: {name: value for name, value in state.items() if "path" not in name and name != PATHS}
        for key, state in checkpoint["callbacks"].items()
        if key.startswith(names)
    }
    assert len(callbacks) == len(names)
    return kept | {"callbacks": callbacks, "metrics": checkpoint["lesionseg"]["metrics"]}


def differing(one: Any, other: Any, place: str) -> list[str]:
    """Walks two nested values and names the places where they differ in any bit."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in differing(one[key], other[key], f"{place}/{key}")]
    if isinstance(one, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for index, pair in pairs for found in differing(*pair, f"{place}/{index}")]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same or place.endswith(("dirpath", "current_score")) else [place]


def test_the_comparison_sees_a_single_bit() -> None:
    weights = torch.ones(3)
    changed = torch.tensor([1.0, 1.0, 1.0 + 2**-23])
    assert differing({"a": [weights]}, {"a": [weights.clone()]}, "") == []
    assert differing({"a": [weights]}, {"a": [changed]}, "") == ["/a/0"]


@pytest.mark.parametrize(
    ("hook", "call"),
    [
        ("on_train_batch_end", 9),  # within the second epoch
        ("on_train_epoch_start", 4),  # before it is saved
        ("on_train_end", 1),
    ],
)
def test_a_training_that_is_killed_and_resumed_ends_bit_for_bit_alike(
    train: Run, train_until: Run, tmp_path: Path, whole: Path, hook: str, call: int
) -> None:
    """Many other moments are tried by `benchmarks/faults.py`."""
    killed = train_until(tmp_path, hook, call, signal.SIGKILL, *SETTINGS, "hydra.run.dir=run")
    assert killed.returncode == -signal.SIGKILL
    resumed = train(tmp_path, "resume=run")
    assert resumed.returncode == 0, resumed.stderr
    assert differences(tmp_path / "run", whole) == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_saves_at_once_and_says_how_to_go_on(train_until: Run, tmp_path: Path, signum: signal.Signals) -> None:
    stopped = train_until(tmp_path, "on_train_batch_end", 9, signum, *SETTINGS, "hydra.run.dir=run")
    assert stopped.returncode == 128 + signum, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "resume=run" in stopped.stderr.replace(str(tmp_path) + "/", "")
    assert read(tmp_path / "run" / "checkpoints" / LAST)["global_step"] == 9
    assert read_record(tmp_path / "run").state == "interrupted"  # type: ignore[union-attr]
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_run_that_is_stopped_again_and_again_ends_bit_for_bit_alike(
    train: Run, train_until: Run, tmp_path: Path, whole: Path
) -> None:
    words = [*SETTINGS, "hydra.run.dir=run", "resume=auto"]
    for call in (3, 10):  # within the first epoch, and within the third
        assert train_until(tmp_path, "on_train_batch_end", call, signal.SIGTERM, *words).returncode == 143
    assert train(tmp_path, *words).returncode == 0
    assert differences(tmp_path / "run", whole) == []


def test_a_training_that_stopped_early_is_over_when_it_is_resumed(train: Run, train_until: Run, tmp_path: Path) -> None:
    early = ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=1.0", "hydra.run.dir=run"]
    killed = train_until(tmp_path, "on_fit_end", 1, signal.SIGKILL, *SETTINGS, *early)
    assert killed.returncode == -signal.SIGKILL
    steps = read(tmp_path / "run" / "checkpoints" / LAST)["global_step"]
    assert train(tmp_path, "resume=run").returncode == 0
    assert read(tmp_path / "run" / "checkpoints" / LAST)["global_step"] == steps < 24
    assert "test/dice" in json.loads((tmp_path / "run" / "metrics.json").read_text())


def test_a_run_that_has_ended_is_left_alone_unless_it_is_made_longer(train: Run, whole: Path) -> None:
    before = (whole / "metrics.json").stat().st_mtime_ns
    again = train(whole.parent, "resume=run")
    assert again.returncode == 0
    assert "has ended before" in again.stdout
    assert (whole / "metrics.json").stat().st_mtime_ns == before


def test_a_finished_run_may_be_made_longer(train: Run, tmp_path: Path) -> None:
    """With a schedule of torch's that takes its length from the stored state."""
    short = [word for word in SETTINGS if not word.startswith("scheduler")]
    short += ["scheduler=onecycle", "trainer.max_epochs=1", "hydra.run.dir=run"]
    assert train(tmp_path, *short).returncode == 0
    longer = train(tmp_path, "resume=run", "trainer.max_epochs=2")
    assert longer.returncode == 0, longer.stderr
    assert read(tmp_path / "run" / "checkpoints" / LAST)["epoch"] == 2
    assert read_record(tmp_path / "run").state == "finished"  # type: ignore[union-attr]
    assert {path.name for path in (tmp_path / "run").glob("environment*")} == {"environment.json", "environment_2.json"}


def test_a_run_made_shorter_than_it_is_says_so_and_stays_finished(train: Run, whole: Path) -> None:
    before = read_record(whole)
    shorter = train(whole.parent, "resume=run", "trainer.max_epochs=2")
    assert shorter.returncode == 2
    assert "has trained for 4 epochs already, and trainer.max_epochs is 2; give at least 4" in shorter.stderr
    assert read_record(whole) == before


def test_a_run_is_never_started_over_another(train: Run, whole: Path) -> None:
    again = train(whole.parent, *SETTINGS, "hydra.run.dir=run")
    assert again.returncode == 2
    assert "there is a run in" in again.stderr


def test_two_processes_never_run_in_one_folder(train: Run, python: str, tmp_path: Path) -> None:
    command = [python, "-m", "lesionseg.train", *SETTINGS, "trainer.max_epochs=200", "hydra.run.dir=run"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 120
            while not (tmp_path / "run" / "config.yaml").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            other = train(tmp_path, "resume=run")
        finally:
            process.kill()
    assert other.returncode == 2
    assert "a run is going on there" in other.stderr


@pytest.fixture
def checkpoints(tmp_path: Path, whole: Path) -> Path:
    """A run's folder with two checkpoints, the last one older than it was."""
    folder = tmp_path / "copy" / "checkpoints"
    folder.mkdir(parents=True)
    for name in (LAST, PREVIOUS):
        (folder / name).write_bytes((whole / "checkpoints" / name).read_bytes())
    return folder


def test_a_damaged_last_checkpoint_gives_way_to_the_one_before_and_says_so(
    checkpoints: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert checkpoint_to_resume(checkpoints.parent) == checkpoints / LAST
    damaged = bytearray((checkpoints / LAST).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (checkpoints / LAST).write_bytes(damaged)
    assert checkpoint_to_resume(checkpoints.parent) == checkpoints / PREVIOUS
    assert "last.ckpt" in caplog.text
    assert "goes on from" in caplog.text


def test_a_checkpoint_that_was_not_yet_renamed_is_the_latest(checkpoints: Path) -> None:
    (checkpoints / NEXT).write_bytes((checkpoints / LAST).read_bytes())
    assert checkpoint_to_resume(checkpoints.parent) == checkpoints / NEXT


def test_where_no_checkpoint_is_whole_nothing_is_started_over(checkpoints: Path) -> None:
    for name in (LAST, PREVIOUS):
        (checkpoints / name).write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint is whole"):
        checkpoint_to_resume(checkpoints.parent)


def test_a_run_without_checkpoints_starts_from_the_beginning(tmp_path: Path) -> None:
    assert checkpoint_to_resume(tmp_path) is None


def stored(tmp_path: Path, **settings: Any) -> Any:
    usual = {"run_dir": str(tmp_path), "seed": 1, "trainer": {"max_epochs": 3}, "callbacks": {"a": f"{tmp_path}/a.png"}}
    return OmegaConf.create({**usual, "resume": None, **settings})


def test_a_resumed_run_has_its_own_settings_in_the_folder_where_it_is_now(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(stored(Path("/elsewhere"), resume=None)))
    composed = stored(tmp_path, seed=0, resume=str(tmp_path), trainer={"max_epochs": 5})
    config = resumed_config(composed, [f"resume={tmp_path}", "trainer.max_epochs=5"])
    assert (config.seed, config.trainer.max_epochs) == (1, 5)
    assert (config.run_dir, config.callbacks.a) == (str(tmp_path), f"{tmp_path}/a.png")


def test_a_resumed_run_is_not_made_another(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(stored(tmp_path)))
    with pytest.raises(InputError, match=r"start a new run for:\n  - seed"):
        resumed_config(stored(tmp_path, resume="x"), ["resume=x", "seed=2", "trainer.max_epochs=4"])


@pytest.mark.parametrize("damage", [b"seed: [", b"seed: \xff", b"- 1", b"seed: 1", b"\x00", b"a: ${", b"run_dir: 3"])
def test_a_damaged_configuration_is_named_with_the_way_to_go_on(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(damage)
    for resume in (lambda cfg: resumed_config(cfg, []), same_config):
        with pytest.raises(InputError, match=r"config\.yaml is damaged .*resume=auto"):
            resume(stored(tmp_path, resume="x"))


def test_a_folder_without_a_run_cannot_be_resumed(train: Run, train_until: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run in"):
        resumed_config(stored(tmp_path, resume="x"), [])


def test_a_batch_size_that_the_run_has_found_stays(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(stored(tmp_path, batch_size=64)))
    assert same_config(stored(tmp_path, batch_size="auto")).batch_size == 64


def test_going_on_by_the_same_command_line_refuses_other_settings(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(stored(tmp_path)))
    same_config(stored(tmp_path, resume="auto", trainer={"max_epochs": 9}))
    with pytest.raises(InputError, match="seed: 1 then, 2 now"):
        same_config(stored(tmp_path, seed=2))


def test_going_on_with_other_images_or_other_files_is_refused() -> None:
    then = {"sha256": "a" * 64, "files": {"x": "1 2", "y": "3 4"}}
    same_split(then, copy.deepcopy(then), "last.ckpt")
    same_split({"sha256": "a" * 64}, then, "last.ckpt")  # of an earlier version
    with pytest.raises(InputError, match=r"last\.ckpt: its images are no longer split as they were"):
        same_split(then, then | {"sha256": "b" * 64}, "last.ckpt")
    with pytest.raises(InputError, match=r"other files than last\.ckpt was .*start a new run:\n  - y \(mask\)"):
        same_split(then, {"sha256": "b" * 64, "files": {"x": "1 2", "y": "3 5"}}, "last.ckpt")
