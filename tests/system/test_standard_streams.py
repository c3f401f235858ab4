"""Work outlasts whoever reads of it: a pipe's reader that ends, a terminal that is closed, streams that never were."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import logging, sys
from pathlib import Path
from lesionseg.config.launch import launch
def verb(cfg):
    for number in range(2000):
        print("much to read " * 10)
        logging.getLogger("lesionseg").info("much to log")
        print("much to complain of", file=sys.stderr)
    Path("done").write_text("all of it")
    sys.exit(3)
launch("compare", verb)
"""
"""A verb that prints more than a pipe holds before it has done its work, and has an exit code of its own."""


def run(folder: Path, redirection: str) -> int:
    command = f'"$0" -c "$@" {redirection}'
    words = ["bash", "-o", "pipefail", "-c", command, sys.executable, WORK, "runs=[a,b]", "hydra.run.dir=."]
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


def test_a_terminal_that_is_closed_is_outlasted(tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-c", WORK, "runs=[a,b]", "hydra.run.dir=."]
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
