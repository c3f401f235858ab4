"""The command line as a user meets it: exit codes and what is printed."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig

import lesionseg.system.run_folder


@dataclass(frozen=True)
class Done:
    """What a command has left."""

    returncode: int
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a verb in this process, which takes a tenth of the time of a new one: `run("seed=1", verb="train")`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    monkeypatch.setattr(lesionseg.system.run_folder, "_made", {})
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)

    def in_process(*arguments: str, verb: str = "train") -> Done:
        monkeypatch.setattr(sys, "argv", [verb, *arguments])
        code = 0
        try:
            importlib.import_module(f"lesionseg.{verb}").main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, capsys.readouterr().err)

    return in_process


MISTAKES = {
    "a mistyped key": (["model.base_chanels=8"], ["base_chanels", "Did you mean model.base_channels?"]),
    "a mistyped root key": (["batchsize=8"], ["batchsize", "Did you mean batch_size?"]),
    "a mistyped choice": (["model=unett"], ["unett", "unet_small"]),
    "a wrong type": (["seed=zero"], ["seed", "zero"]),
    "a group of nothing": (["data=null"], ["NoneType", "A whole group cannot be null"]),
    "a line that cannot be parsed": (["model.depth"], ["model.depth"]),
    "a refused value": (["batch_size=0"], ["batch_size is 0"]),
    "a key that stands elsewhere": (["lr=3"], ["no key 'lr'", "Did you mean optimizer.lr?"]),
    "a folder for a source": (["data=photos"], ["data=folder data.root=photos"]),
    "a missing folder": (["data=folder", "data.root=nowhere"], ["nowhere", "data.root"]),
}


@pytest.mark.parametrize(("arguments", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_ends_with_one_message_and_exit_code_2(
    run: Run, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "photos").mkdir()
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_programs_started_afterwards_find_the_environment_as_it_was(run: Run) -> None:
    """`HYDRA_FULL_ERROR` would have them show tracebacks."""
    before = dict(os.environ)
    assert run("model=unett").returncode == 2
    assert run("batch_size=0").returncode == 2
    assert dict(os.environ) == before


def test_a_folder_that_cannot_be_made_is_a_fault_told_in_one_message(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("hydra.run.dir=file/run")
    assert done.returncode == 1
    assert "file/run" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_checkpoint_is_named(run: Run) -> None:
    done = run("checkpoint=nowhere.ckpt", verb="evaluate")
    assert done.returncode == 2
    assert "nowhere.ckpt" in done.stderr
    assert "Traceback" not in done.stderr


NEEDED = {
    "evaluate": ["give either checkpoint=FILE"],
    "predict": ["checkpoint=...", "input=...  a photograph, a folder", "output=..."],
    "export": ["checkpoint=..."],
    "compare": ["runs=...  folders of evaluations"],
    "crossval": ["give folds=5, seeds=[0,1,2], or both"],
    "check_data": ["You must specify 'data'", "isic2017"],
    "download": ["data=...  required: isic2016"],
}


@pytest.mark.parametrize(("verb", "words"), NEEDED.items())
def test_what_is_needed_is_said_with_an_example(run: Run, verb: str, words: list[str]) -> None:
    done = run(verb=verb)
    assert done.returncode == 2
    assert all(word in done.stderr for word in [*words, f"python -m lesionseg.{verb} "])
    assert "Error executing job" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_of_a_group_that_is_left_out_says_to_choose_one_of_its_files(run: Run) -> None:
    done = run("checkpoint=some.ckpt", "data.root=isic", verb="evaluate")
    assert done.returncode == 2
    assert "'data', which is empty. Choose one of its files too: data=NAME" in done.stderr


@pytest.mark.parametrize("verb", ["train", "evaluate", "compare"])
def test_help_lists_groups_and_needs_no_torch(tmp_path: Path, verb: str) -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        f"from lesionseg.{verb} import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    models = "model: smp, unet, unet_fast, unet_fast_48, unet_fast_64, unet_small, unet_tiny"
    assert models in done.stdout or verb == "evaluate"
    assert not list(tmp_path.iterdir())


def test_a_reader_who_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lesionseg.evaluate", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
