"""What `resume=` and `sweep.resume=` make of a command line."""

import os
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lesionseg.config.resume_arguments import note_sweep, with_folder
from lesionseg.errors import InputError


def read_by_hydra(words: list[str]) -> dict[str, object]:
    return {word.key_or_group: word.value() for word in OverridesParser.create().parse_overrides(words)}


@pytest.mark.parametrize("words", [[], ["seed=1"], ["resume=auto"], ["resume=null"], ["-m", "seed=1,2"]])
def test_other_command_lines_stay_as_they_are(words: list[str]) -> None:
    assert with_folder(words) == words


@pytest.mark.parametrize("folder", ["logs/train/1", "with space", "a=b,c", "it's [1]"])
def test_a_resumed_run_works_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir(parents=True)
    Path(folder, "config.yaml").touch()
    words = with_folder(["resume=x".replace("x", folder)])
    assert read_by_hydra(words[1:]) == {"hydra.run.dir": folder, "hydra.output_subdir": None}


def test_a_folder_without_a_run_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run in"):
        with_folder([f"resume={tmp_path / 'nowhere'}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["checkpoints", "checkpoints/last.ckpt", "run.json"])
def test_a_place_in_a_runs_folder_names_the_run(tmp_path: Path, place: str) -> None:
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InputError, match=f"give the run's folder, resume={tmp_path}$"):
        with_folder([f"resume={tmp_path / place}"])


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    note_sweep(Path("logs/sweep"), ["-m", "seed=1,2", "hydra.sweep.dir=elsewhere"])
    return tmp_path / "work" / "logs" / "sweep"


def test_a_resumed_sweep_repeats_its_command_in_its_folder_from_where_it_was_given(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = with_folder(["-m", f"sweep.resume={sweep.relative_to(tmp_path)}"])
    assert words[:2] == ["-m", "seed=1,2"]
    assert read_by_hydra(words[2:]) == {"hydra.sweep.dir": str(sweep)}
    assert Path(os.getcwd()) == tmp_path / "work"


def test_the_first_command_of_a_sweep_is_the_one_that_counts(sweep: Path) -> None:
    note_sweep(sweep, ["-m", "seed=3"])
    assert "seed=1,2" in with_folder([f"sweep.resume={sweep}"])


def test_a_sweep_is_not_made_another(sweep: Path) -> None:
    with pytest.raises(InputError, match=r"take out seed=5"):
        with_folder(["-m", f"sweep.resume={sweep}", "seed=5"])


def test_a_folder_without_a_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no sweep"):
        with_folder([f"sweep.resume={tmp_path}"])


def test_a_damaged_note_is_named(sweep: Path) -> None:
    (sweep / "sweep.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        with_folder([f"sweep.resume={sweep}"])
