"""The command line of a comparison."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest

from lesionseg.compare import with_runs
from lesionseg.config.schema import CONF, register_schemas

AWKWARD = [
    "a b",
    "c,d",
    "e=f",
    "it's",
    "[g]",
    "h{i}",
    "j\\",
    "k\\'l",
    "${m}",
    "n: o",
    "ü",
    'say "p"',
    "~q",
    "#r",
    "(s)",
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def composed(words: list[str]) -> list[str]:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return list(hydra.compose("compare", overrides=[*words, "run_dir=unset"]).runs)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_folder_of_any_name_arrives_as_it_is(place: Path, name: str) -> None:
    (place / name).mkdir()
    assert composed(with_runs([name, "other", str(place / name)])) == [name, "other", str(place / name)]


def test_all_awkward_names_arrive_together(place: Path) -> None:
    for name in AWKWARD:
        (place / name).mkdir()
    assert composed(with_runs(AWKWARD)) == AWKWARD


def test_overrides_and_options_are_left_to_hydra(place: Path) -> None:
    (place / "a").mkdir()
    words = ["--cfg", "job", "metric=dice", "a", "-m", "+x=1", "~seed", "missing"]
    assert with_runs(words) == ["--cfg", "job", "metric=dice", "-m", "+x=1", "~seed", "runs=['a','missing']"]
    assert with_runs(["--info", "defaults"]) == ["--info", "defaults"]


def test_runs_may_be_given_as_an_override(place: Path) -> None:
    assert composed(with_runs(["runs=[a,b]"])) == ["a", "b"]


def test_a_missing_run_ends_with_one_message_and_exit_code_2(run_verb: Callable[..., Any], tmp_path: Path) -> None:
    done = run_verb(tmp_path, "compare", "nowhere", "nor here")
    assert done.returncode == 2
    assert "nowhere does not exist" in done.stderr
    assert "nor here does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_runs_must_be_given(run_verb: Callable[..., Any], tmp_path: Path) -> None:
    done = run_verb(tmp_path, "compare")
    assert done.returncode == 2
    assert "runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_comparing_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['x', 'nowhere', '--help']\n"
        "from lesionseg.compare import main\n"
        "try:\n    main()\nfinally:\n"
        "    assert not {'torch', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "    import lesionseg.study.comparison_report\n"
        "    assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Holm" in done.stdout
