"""The README's commands are what users type first: they must be those that work."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
from PIL import Image

import lesionseg
from lesionseg.compare import with_runs
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.study.crossval_plan import with_training

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
VERBS = [command[2:] for command in COMMANDS if "lesionseg." in "".join(command[:3]) and "--help" not in command]


def test_there_is_one_command_to_run_and_one_to_test() -> None:
    assert "pip install -c constraints.txt -e . && python -m lesionseg.train\n" in README
    assert "pip install -c constraints.txt -e '.[dev]' && pytest -n 2\n" in README


def test_ci_runs_the_test_command() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install -c constraints.txt -e '.[dev]' && pytest -n 2" in ci


def composable(verb: str, words: list[str]) -> list[str]:
    """Turns a command line into what Hydra composes: of a sweep the first job, of what is resumed no folder."""
    if verb == "compare":
        return with_runs(words)
    if verb == "crossval":
        return with_training([word for word in words if not word.startswith("resume=")])
    return [re.sub(r"=([^\[,]+),.*", r"=\1", word) for word in words if not word.startswith("sweep.")]


@pytest.mark.parametrize("command", VERBS, ids=" ".join)
def test_every_command_composes(command: list[str]) -> None:
    verb, words = command[0].removeprefix("lesionseg."), [word for word in command[1:] if word != "-m"]
    single = composable(verb, words)
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = hydra.compose(verb, overrides=single, return_hydra_config=True)
    assert cfg.hydra.job.name == verb


def test_every_option_named_in_the_table_is_a_file_and_every_file_is_named() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", README, flags=re.MULTILINE))
    groups = {group: text for group, text in rows.items() if (CONF / group).is_dir()}
    assert len(groups) > 8
    for group, text in groups.items():
        files = {path.stem for path in (CONF / group).glob("*.yaml")}
        named = set(re.findall(r"`(\w+)`", text))
        assert named & files, group
        if group in ("data", "model", "loss", "optimizer", "scheduler", "logger", "trainer", "experiment"):
            assert files <= named, f"{group}: {files - named} not in the README"


PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_there_are_two_examples_in_python() -> None:
    assert len(PYTHON) == 2


def test_the_python_lines_run(python: str, smoke_run: Path, photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").symlink_to(smoke_run / "checkpoints" / "best.safetensors")
    (tmp_path / "photo.jpg").symlink_to(photographs / "images" / "photo 1.jpg")
    shown = f"{PYTHON[0]}\nprint(mask.shape, mask.dtype)"
    done = subprocess.run([python, "-c", shown], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "(97, 61) bool\n", done.stderr


def test_the_lines_for_onnx_runtime_make_the_mask_that_predict_does(
    exported: Callable[[str], Path], photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "best.onnx").symlink_to(exported("onnx"))
    (tmp_path / "photo.jpg").symlink_to(photographs / "images" / "photo 1.jpg")
    monkeypatch.chdir(tmp_path)
    exec(PYTHON[1], {})
    written = np.asarray(Image.open("mask.png"))
    assert set(np.unique(written)) <= {0, 255}
    segmenter = lesionseg.load("best.onnx")
    expected = segmenter.predict("photo.jpg")
    assert written.shape == expected.shape == (97, 61)
    assert (written != expected * np.uint8(255)).mean() < 0.01  # predict also keeps the largest region, if fitted so


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_smoke_runs_from_any_folder(run_verb: Callable[..., Any], tmp_path: Path) -> None:
    done = run_verb(tmp_path, "train", "experiment=smoke", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    assert "best checkpoint" in done.stdout
    assert "tensorboard --logdir" in done.stdout
    assert len(list(tmp_path.glob("logs/smoke/*/checkpoints/best.ckpt"))) == 1
