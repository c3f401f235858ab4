"""What an earlier version has left, in `tests/before`, still works: its checkpoints, its runs, its command lines.

The files were made with the last version before `decision` became `postprocessing` and modules moved, on 14 drawn
photographs: `train experiment=smoke data=folder data.root=photos ... trainer.max_epochs=40`, `predict`, `crossval
checkpoints=[best.ckpt,last.ckpt]`.
"""

import contextlib
import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import pytest
from PIL import Image

import lesionseg
from lesionseg import compare, evaluate, predict, train
from lesionseg.config.launch import FULL_ERROR
from lesionseg.config.old_names import current_words
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.study.crossval_plan import with_training

BEFORE = Path(__file__).parent / "before"
LINES = (BEFORE / "command_lines.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the old files, in which a test may work."""
    shutil.copytree(BEFORE, tmp_path / "before")
    monkeypatch.chdir(tmp_path / "before")
    return tmp_path / "before"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(verb: object, *words: str) -> None:
        monkeypatch.setattr(sys, "argv", [verb.__name__.rpartition(".")[2], *words])  # type: ignore[attr-defined]
        monkeypatch.setenv(FULL_ERROR, "0")
        with contextlib.suppress(SystemExit):  # what was written says whether it worked
            verb.main()  # type: ignore[attr-defined]

    return run


@pytest.mark.parametrize("number", ["00", "02", "04"])
def test_a_checkpoint_gives_the_probabilities_and_masks_that_it_gave(
    old: Path, run: Callable[..., None], number: str
) -> None:
    photo = f"photos/images/lesion {number}.jpg"
    run(predict, "checkpoint=run", f"input={photo}", "output=now", "probabilities=p")
    written = np.asarray(Image.open(f"now/lesion {number}.png"))
    expected = np.asarray(Image.open(f"masks/lesion {number}.png"))
    assert (written != expected).mean() < 0.01  # the number format is the machine's
    p, q = (np.asarray(Image.open(f"{folder}/lesion {number}.png"), float) for folder in ("p", "probabilities"))
    assert np.abs(p - q).max() / 255 < 0.05
    assert np.abs(p - q).mean() / 255 < 0.005


def test_an_ensemble_opens(old: Path) -> None:
    segmenter = lesionseg.load("ensemble.ckpt")
    mask = segmenter.predict("photos/images/lesion 02.jpg")
    truth = np.asarray(Image.open("photos/masks/lesion 02.png")) > 128
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8


def test_evaluation_reaches_the_score_that_was_reported_and_is_compared_with_it(
    old: Path, run: Callable[..., None]
) -> None:
    then = json.loads((old / "run" / "metrics.json").read_text(encoding="utf-8"))["test/dice"]
    run(evaluate, "checkpoint=run/checkpoints/best.ckpt", "hydra.run.dir=now")
    now = json.loads((old / "now" / "summary.json").read_text(encoding="utf-8"))["metrics"]["dice"]["value"]
    assert now == pytest.approx(then, abs=0.02)
    run(compare, "run", "now", "hydra.run.dir=compared")
    assert "now" in (old / "compared" / "comparison.md").read_text(encoding="utf-8")


def test_a_run_is_resumed_and_trained_longer(old: Path, run: Callable[..., None]) -> None:
    run(train, "resume=run", "trainer.max_epochs=41")
    record = json.loads((old / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["state"] == "finished"
    assert record["results"]["test/dice"] > 0.8


def composable(verb: str, words: list[str]) -> list[str]:
    if verb == "compare":
        return compare.with_runs(words)
    return [word.partition(",")[0] if "[" not in word else word for word in words]


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_still_composes(line: str) -> None:
    verb, *words = shlex.split(line.removeprefix("python -m lesionseg."))
    words = [word for word in words if word != "-m" and not word.startswith(("resume=", "sweep."))]
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        if verb == "crossval":
            words = with_training(words)
        cfg = hydra.compose(verb, overrides=composable(verb, current_words(verb, words)), return_hydra_config=True)
    assert cfg.hydra.job.name == verb
