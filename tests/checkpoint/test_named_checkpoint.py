"""A model file by the name of its run's folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
import pytest
from omegaconf import DictConfig

import lesionseg
from lesionseg.checkpoint.named_checkpoint import announced_checkpoint, checkpoint_file
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("run/checkpoints/best.ckpt", "run/checkpoints/last.ckpt", "cv/ensemble.ckpt", "cv/fold_0/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("run", "run/checkpoints/best.ckpt"),
        ("run/", "run/checkpoints/best.ckpt"),
        ("run/checkpoints", "run/checkpoints/best.ckpt"),
        ("cv", "cv/ensemble.ckpt"),
        ("run/checkpoints/last.ckpt", "run/checkpoints/last.ckpt"),
        ("nowhere", "nowhere"),
    ],
)
def test_a_folder_means_its_best_and_a_file_itself(place: Path, named: str, file: str) -> None:
    assert checkpoint_file(named) == Path(file)


def test_which_one_is_said_in_one_line_where_a_folder_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    announced_checkpoint("run")
    announced_checkpoint("run/checkpoints/last.ckpt")
    assert capsys.readouterr().out == "checkpoint=run: its best is run/checkpoints/best.ckpt\n"


def test_a_folder_above_runs_names_them(place: Path) -> None:
    with pytest.raises(InputError, match=r"no best checkpoint .*give run/checkpoints/best\.ckpt$"):
        checkpoint_file(".")


def test_a_run_without_a_best_checkpoint_names_what_it_has(place: Path) -> None:
    (place / "run" / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(InputError, match=r"give run/checkpoints/last\.ckpt$"):
        checkpoint_file("run")


def composed(verb: str, *overrides: str) -> DictConfig:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose(verb, overrides=list(overrides))


def outcome(call: Callable[[DictConfig], object], cfg: DictConfig) -> str:
    with pytest.raises(InputError) as caught:
        call(cfg)
    return str(caught.value)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("predict", ["checkpoint=run", "input=.", "output=masks"]),
        ("evaluate", ["checkpoint=run", "run_dir=out"]),
        ("export", ["checkpoint=run"]),
        ("benchmark", ["checkpoint=run", "run_dir=out"]),
        ("crossval", ["checkpoints=[run,run]", "run_dir=out"]),
    ],
)
def test_every_verb_takes_a_folder(
    place: Path, verb: str, words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "photo.png").touch()
    call = getattr(__import__(f"lesionseg.{verb}", fromlist=[verb]), verb)
    assert "run/checkpoints/best.ckpt: cannot be opened" in outcome(call, composed(verb, *words))  # it is empty
    assert "checkpoint=run: its best is run/checkpoints/best.ckpt" in capsys.readouterr().out


def test_a_folder_is_loaded_in_python(place: Path) -> None:
    with pytest.raises(InputError, match=r"run/checkpoints/best\.ckpt: cannot be opened"):
        lesionseg.load("run")
