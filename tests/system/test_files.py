"""Files are whole or as they were before, a failing disk is named, and output outlasts its reader."""

import errno
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from lesionseg.system.files import disk_fault_of, whole_file, whole_folder, write_json, write_whole


def test_a_file_and_the_folders_above_it_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.txt", "ä\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ä\n".encode()


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "before")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_others_may_read_it_as_far_as_the_user_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_json_is_for_people_too(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Müller", "values": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "name": "Müller",\n  "values": [\n    1\n  ]\n}\n'


def test_a_folders_files_appear_together_in_place_of_older_ones(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").touch()
    (tmp_path / "other.txt").touch()
    with whole_folder(tmp_path) as draft:
        (draft / "figures").mkdir()
        (draft / "figures" / "new.png").touch()
        write_whole(draft / "a.txt", "new")
        assert not (tmp_path / "a.txt").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"figures", "other.txt", "a.txt"}
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["new.png"]


def test_nothing_appears_in_a_folder_where_one_file_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "run") as draft:
            write_whole(draft / "a.txt", "half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.ENOENT, "gone"),
        (errno.EACCES, "permission"),
    ],
)
def test_a_disk_that_fails_is_named_with_the_file(number: int, words: str) -> None:
    fault = disk_fault_of(OSError(number, os.strerror(number), "logs/a.ckpt"))
    assert words in str(fault)
    assert "logs/a.ckpt" in str(fault)


def test_a_folder_that_has_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "gone" / "a.csv").open("a")
    assert "gone" in str(disk_fault_of(caught.value))


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EINVAL, "x"), RuntimeError("x")])
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert disk_fault_of(error) is None


WORK = """
import logging, sys
from pathlib import Path
from lesionseg.system.files import outlast_readers
outlast_readers()
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
for number in range(2000):
    print("much to read " * 10)
    logging.getLogger("lesionseg").info("much to log")
    print("much to complain of", file=sys.stderr)
Path("done").write_text("all of it")
sys.exit(3)
"""
"""Prints more than a pipe holds before the work is done, and has an exit code of its own."""
VERB = """
from pathlib import Path
import sys
from lesionseg.config.launch import launch
def verb(cfg):
    print("much to read " * 10_000)
    Path("done").write_text("all of it")
    sys.exit(3)
launch("compare", verb)
"""
"""The same as a verb of lesionseg."""


def run(folder: Path, redirection: str, program: str = WORK) -> int:
    command = f'"$0" -c "$@" {redirection}'
    words = ["bash", "-o", "pipefail", "-c", command, sys.executable, program, "runs=[a,b]", "hydra.run.dir=."]
    return subprocess.run(words, cwd=folder, check=False, timeout=60).returncode


REDIRECTIONS = {
    "a reader who ends": "2>errors | true",
    "a reader of both who ends": "2>&1 | true",
    "a reader of the errors who ends": "2>&1 >/dev/null | true",
    "no standard output": "2>errors >&-",
    "no standard error": ">output 2>&-",
    "neither": "<&- >&- 2>&-",
}


@pytest.mark.parametrize("redirection", REDIRECTIONS.values(), ids=REDIRECTIONS.keys())
def test_the_work_is_done_and_its_exit_code_is_its_own(tmp_path: Path, redirection: str) -> None:
    assert run(tmp_path, redirection) == 3
    assert (tmp_path / "done").read_text() == "all of it"
    errors = tmp_path / "errors"
    assert not errors.exists() or set(errors.read_text().splitlines()) == {"much to complain of"}


def test_every_verb_outlasts_its_reader(tmp_path: Path) -> None:
    assert run(tmp_path, "2>errors | true", VERB) == 3
    assert (tmp_path / "done").read_text() == "all of it"


def test_a_terminal_that_is_closed_is_outlasted(tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-c", WORK]
    with subprocess.Popen(command, cwd=tmp_path, stdout=its_end, stderr=its_end) as process:
        os.close(its_end)
        os.read(terminal, 1)
        os.close(terminal)
        assert process.wait(timeout=60) == 3
    assert (tmp_path / "done").exists()


def test_what_is_printed_reaches_a_reader_who_stays(tmp_path: Path) -> None:
    assert run(tmp_path, ">output 2>errors") == 3
    assert (tmp_path / "output").read_text().count("much to read") == 20_000
    assert (tmp_path / "errors").read_text().count("much to complain of") == 2000
