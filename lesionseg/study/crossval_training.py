"""Trainings of a cross-validation in processes of their own, several at a time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from omegaconf import DictConfig

from lesionseg.config.command_line import quoted
from lesionseg.errors import InputError, InterruptionError
from lesionseg.study.crossval_plan import Training
from lesionseg.system.machine import usable_cores
from lesionseg.system.processes import Signals
from lesionseg.system.run_folder import read_record

LOG = "output.log"
"""File in the run's folder that all output of a training is appended to."""
SHOWN = "epoch "
"""Start of the lines that are shown while a training runs; all others are in the file alone."""
MESSAGE = "lesionseg: "
"""Start of the message of a training that fails."""
MESSAGE_LINES = 4
"""Lines of that message that are quoted; all are in the file."""
PAUSE = 0.3
"""Seconds between two looks at the trainings."""
GPUS, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"

Share = dict[str, str]
"""Environment variables that give a training its share of the machine."""


class Child:
    """A training that runs in a child process.

    The process writes to the file itself, so that it does not depend on its parent. It has its own process group,
    because a training that received Ctrl-C twice, from the terminal and from its parent, would stop without saving.

    Args:
        training: Training to start.
        share: Environment variables of the process.
        options: Hydra's options, which stand before the training's words.
    """

    def __init__(self, training: Training, share: Share, options: Sequence[str]) -> None:
        self.training, self.share, self.log = training, share, training.folder / LOG
        self._shown = self.log.stat().st_size if self.log.exists() else 0
        self._message = ""
        training.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "lesionseg.train", *options, *training.words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, f"hydra.run.dir={quoted(str(training.folder))}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **share},
                process_group=0,
            )

    def new_lines(self) -> list[str]:
        """Returns the lines to show that were written since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._shown)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._shown += len(whole) + len(newline)
        lines = whole.decode(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if line.startswith(MESSAGE):
                self._message = " ".join(map(str.strip, lines[number : number + MESSAGE_LINES])).removeprefix(MESSAGE)
        return [line for line in lines if line.startswith(SHOWN)]

    def failure(self) -> str | None:
        """Returns the reason of a failure in one line, or None if the training has finished."""
        code = self.process.returncode
        try:
            record = read_record(self.training.folder)
        except InputError as error:
            return str(error)
        if code == 0 and record is not None and record.state == "finished":
            return None
        reason = record.reason if record is not None and record.state != "finished" else None
        killed = f"its process was killed by {signal.Signals(-code).name}" if code < 0 else ""
        return self._message or reason or killed or f"its process ended with exit code {code}"


class Trainings:
    """Runs trainings in child processes.

    Args:
        shares: Share of the machine for each training that runs at the same time.
        options: Hydra's options for each training.

    Attributes:
        failures: Reason by the name of each training that has failed.
    """

    def __init__(self, shares: Sequence[Share], options: Sequence[str]) -> None:
        self.failures: dict[str, str] = {}
        self._free, self._options = list(shares), options
        self._running: list[Child] = []
        self._width = 0

    def run(self, trainings: Sequence[Training]) -> None:
        """Runs all trainings; a failure does not stop the others.

        Raises:
            InterruptionError: A signal was received. It was passed on, and all trainings have ended.
        """
        signals, waiting, was_passed_on = Signals(), list(trainings), False
        signals.deferred = True
        self._width = max((len(training.name) for training in trainings), default=0)
        with signals.taken():
            try:
                while (waiting and signals.received is None) or self._running:
                    while waiting and self._free and signals.received is None:
                        self._start(waiting.pop(0))
                    if signals.received is not None and not was_passed_on:  # a second one would stop them at once
                        was_passed_on = True
                        self._terminate()
                    self._poll()
            finally:  # also at a second signal
                self._terminate()
                for child in self._running:
                    child.process.wait()
        if signals.received is not None:
            raise InterruptionError(signals.received, f"{signal.Signals(signals.received).name}: stopped")

    def _start(self, training: Training) -> None:
        child = Child(training, self._free.pop(0), self._options)
        self._running.append(child)
        self._say(child, f"started; its output goes to {child.log}")

    def _poll(self) -> None:
        """Shows new output, and removes trainings that have ended."""
        time.sleep(PAUSE)
        ended = [child for child in self._running if child.process.poll() is not None]
        for child in self._running:
            for line in child.new_lines():
                self._say(child, line)
        for child in ended:
            self._running.remove(child)
            self._free.append(child.share)
            failure = child.failure()
            if failure is not None:
                self.failures[child.training.name] = failure
            self._say(child, "finished" if failure is None else f"has not finished: {failure}")

    def _terminate(self) -> None:
        for child in self._running:
            if child.process.poll() is None:
                child.process.terminate()

    def _say(self, child: Child, line: str) -> None:
        print(f"{child.training.name:<{self._width}}  {line}", flush=True)


def shares_of_machine(training: DictConfig, *, jobs: int | None, most: int) -> list[Share]:
    """Divides the machine among trainings that run at the same time: a GPU for each, or cores.

    Args:
        training: Composed configuration of a training; none on the CPU or on several devices gets a GPU of its own.
        jobs: Number of simultaneous trainings; None for one on each GPU, or one on a CPU.
        most: Largest number of shares.
    """
    gpus = _gpus(training)
    count = min(jobs or max(1, len(gpus)), most)
    threads = {THREADS: str(_threads(count))} if count > 1 else {}
    return [({GPUS: gpus[number % len(gpus)]} if gpus else {}) | threads for number in range(count)]


def _gpus(training: DictConfig) -> list[str]:
    """Names the usable GPUs as `CUDA_VISIBLE_DEVICES` does."""
    trainer: Any = training.trainer
    if trainer.accelerator == "cpu" or str(trainer.devices) not in ("1", "auto"):
        return []
    found = torch.cuda.device_count()
    visible = [name.strip() for name in os.environ.get(GPUS, "").split(",") if name.strip()]
    return visible[:found] if visible else [str(number) for number in range(found)]


def _threads(count: int) -> int:
    """Divides the cores; a smaller number set by the user is kept."""
    share = max(1, usable_cores() // count)
    given = os.environ.get(THREADS, "")
    return min(share, int(given)) if given.isdigit() and int(given) > 0 else share
