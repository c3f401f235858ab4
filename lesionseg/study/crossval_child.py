"""A training in a process of its own, whose output goes to a file."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from lesionseg.config.command_line import quoted
from lesionseg.errors import InputError
from lesionseg.study.crossval_jobs import Place
from lesionseg.study.crossval_plan import Training
from lesionseg.system.run_folder import read_record

LOG = "output.log"
"""In the run's folder: all that the training has printed; what was printed before an interruption stays."""
SHOWN = "epoch "
"""How lines begin that are shown while it runs; all others are in the file."""
SAYS = "lesionseg: "
"""How the message begins that a training ends with, if it ends badly."""
MESSAGE_LINES = 4
"""Of such a message so many are told; all are in the file."""


class Child:
    """A training that has been started.

    It writes to the file itself, so that it does not depend on whoever started it; and it is in a process group of its
    own, because a training that gets Ctrl-C twice, from the terminal and handed on, would stop without saving.

    Args:
        training: Which one.
        place: What it gets of the machine, as environment variables.
        options: Hydra's, before its words.
    """

    def __init__(self, training: Training, place: Place, options: Sequence[str]) -> None:
        self.training = training
        self.place = place
        self.log = training.folder / LOG
        self._shown = self.log.stat().st_size if self.log.exists() else 0
        self._message = ""
        self._is_asked = False
        training.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "lesionseg.train", *options, *training.words]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"hydra.run.dir={quoted(str(training.folder))}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **place},
                process_group=0,
            )

    def news(self) -> list[str]:
        """Returns the lines to be shown that have come since it was asked last."""
        with self.log.open("rb") as log:
            log.seek(self._shown)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._shown += len(whole) + len(newline)
        lines = whole.decode(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if line.startswith(SAYS):
                self._message = " ".join(map(str.strip, lines[number : number + MESSAGE_LINES])).removeprefix(SAYS)
        return [line for line in lines if line.startswith(SHOWN)]

    def has_ended(self) -> bool:
        """Whether its process is over."""
        return self._process.poll() is not None

    def ask_to_stop(self) -> None:
        """Asks it to save and leave, and does so once: a second time would mean at once."""
        if not self._is_asked:
            self._is_asked = True
            self.stop()

    def stop(self) -> None:
        """Tells it to leave; at once, if it has been asked before."""
        if not self.has_ended():
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Waits for its process to end."""
        self._process.wait()

    def failure(self) -> str | None:
        """Says in one line why it has failed, once it has ended; None if it has finished."""
        code = self._process.returncode
        try:
            record = read_record(self.training.folder)
        except InputError as error:
            return str(error)
        if code == 0 and record is not None and record.state == "finished":
            return None
        reason = record.reason if record is not None and record.state != "finished" else None
        return self._message or reason or _in_words(code)


def _in_words(code: int) -> str:
    """Words an exit code; what a signal has killed, most often for want of memory, has a negative one."""
    if code < 0:
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"
