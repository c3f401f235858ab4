"""The end of a sweep, as Hydra calls it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobReturn
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lesionseg.study.sweep_job import SweepEnding, end_sweep


@pytest.fixture
def config(tmp_path: Path) -> DictConfig:
    callback = {"_target_": f"{SweepEnding.__module__}.SweepEnding"}
    return OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}, "callbacks": {"ending": callback}}})


def test_a_sweep_whose_jobs_have_all_ended_well_ends_quietly(
    make_job: Any,
    config: DictConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path.parent)  # paths are shown as seen from here
    make_job(0, ["seed=0"], {"val/dice": 0.5})
    make_job(1, ["seed=1"], {"val/dice": 0.4}, state="pruned")
    (tmp_path / "0" / "tensorboard").mkdir()
    (tmp_path / "0" / "checkpoints").mkdir()
    (tmp_path / "0" / "checkpoints" / "best.ckpt").touch()
    Callbacks(config).on_multirun_end(config=config, config_name="train")
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"leaderboard.csv", "leaderboard.md", "sweep.png", "parallel.png"}
    printed = capsys.readouterr().out
    assert f"tensorboard --logdir {tmp_path.name} " in printed
    assert f"{tmp_path.name}/0/checkpoints/best.ckpt" in printed
    assert "jobs failed" not in printed


def test_a_failed_job_gives_the_sweep_exit_code_1(
    make_sweep: Any, config: DictConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_sweep([{"seed": 0}, {"seed": 1}, {"seed": 2}], [0.5, None, 0.6])
    with pytest.raises(SystemExit) as end:  # through Hydra, which makes warnings of ordinary exceptions
        Callbacks(config).on_multirun_end(config=config, config_name="train")
    assert end.value.code == 1
    printed = capsys.readouterr().out
    assert printed.endswith("1 of 3 jobs failed\n")
    assert "job 1 (failed): no luck" in printed
    assert "-m sweep.resume=" in printed
    assert (tmp_path / "sweep.png").is_file()


def test_the_leaderboard_is_there_after_each_job(make_sweep: Any, config: DictConfig, tmp_path: Path) -> None:
    make_sweep([{"seed": 0}, {"seed": 1}], [None, None])
    config.hydra.mode = RunMode.MULTIRUN
    Callbacks(config).on_job_end(config=config, job_return=JobReturn())
    assert (tmp_path / "leaderboard.csv").read_text().count("no luck") == 2


def test_a_run_that_is_no_job_of_a_sweep_has_no_leaderboard(make_job: Any, config: DictConfig, tmp_path: Path) -> None:
    make_job(0)
    config.hydra.mode = RunMode.RUN
    Callbacks(config).on_job_end(config=config, job_return=JobReturn())
    assert not list(tmp_path.glob("leaderboard*"))


def test_a_sweep_without_jobs_says_so_and_fails(config: DictConfig, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        SweepEnding().on_multirun_end(config, config_name="train")
    assert end.value.code == 1
    assert "no job of a sweep" in capsys.readouterr().err


def test_a_full_disk_is_said_and_fails(
    make_sweep: Any, config: DictConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    make_sweep([{"seed": 0}], [0.5])
    monkeypatch.setattr("lesionseg.study.sweep.write_whole", refuse)
    with pytest.raises(SystemExit) as end:
        SweepEnding().on_multirun_end(config, config_name="train")
    assert end.value.code == 1
    assert "No space left" in capsys.readouterr().err


def test_ending_again_replaces_what_is_there(make_sweep: Any, tmp_path: Path) -> None:
    make_sweep([{"seed": 0}, {"seed": 1}], [0.5, 0.6])
    end_sweep(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    end_sweep(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_every_run_imports_it_so_it_imports_nothing_heavy() -> None:
    code = "import sys, lesionseg.study.sweep_job; print(*{'torch', 'matplotlib', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_it_needs_is_read_and_drawn_without_torch() -> None:
    code = "import sys, lesionseg.study.sweep_chart; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
