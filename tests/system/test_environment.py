"""What is written down beside a result: the code, the libraries, the machine."""

import importlib.metadata
import json
import platform
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

import lesionseg
from lesionseg.system.environment import LIBRARIES, code_version, environment, library_versions


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that lesionseg believes to be its own checkout."""
    module = tmp_path / "lesionseg" / "__init__.py"
    module.parent.mkdir()
    module.write_text("")
    monkeypatch.setattr(lesionseg, "__file__", str(module))
    return tmp_path


def commit(checkout: Path) -> str:
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "first")
    return git(checkout, "rev-parse", "HEAD")


def test_in_a_checkout_the_commit_is_named(checkout: Path) -> None:
    expected = commit(checkout)
    assert code_version() == {"version": lesionseg.__version__, "git_commit": expected, "git_dirty": False}


def test_changed_files_make_it_dirty_and_new_ones_do_not(checkout: Path) -> None:
    commit(checkout)
    (checkout / "notes.txt").write_text("mine")
    assert code_version()["git_dirty"] is False
    (checkout / "lesionseg" / "__init__.py").write_text("changed = True")
    assert code_version()["git_dirty"] is True


def test_an_installed_package_has_a_version_only(checkout: Path) -> None:
    assert code_version() == {"version": lesionseg.__version__, "git_commit": None, "git_dirty": None}


def test_another_projects_git_around_an_installed_package_is_not_taken_for_ours(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(checkout)
    module = checkout / "venv" / "site-packages" / "lesionseg" / "__init__.py"
    monkeypatch.setattr(lesionseg, "__file__", str(module))
    assert code_version()["git_commit"] is None


def test_without_git_there_is_no_commit_and_no_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(checkout)
    monkeypatch.setenv("PATH", str(checkout / "nothing here"))
    assert code_version()["git_commit"] is None


def test_a_checkout_without_a_commit_has_none(checkout: Path) -> None:
    git(checkout, "init", "-q")
    assert code_version()["git_commit"] is None


def test_libraries_have_the_versions_that_are_installed() -> None:
    versions = library_versions()
    assert versions["python"] == platform.python_version()
    assert all(versions[name] == importlib.metadata.version(name) for name in LIBRARIES)
    assert {"torch", "lightning", "albumentations", "torchmetrics", "numpy"} <= versions.keys()


def test_everything_is_plain_and_can_be_written_as_json() -> None:
    written = environment()
    assert json.loads(json.dumps(written)) == written
    assert datetime.fromisoformat(written["date"]).utcoffset() is not None
    assert written["machine"]["usable_cores"] >= 1
    assert written["machine"]["processor"]
