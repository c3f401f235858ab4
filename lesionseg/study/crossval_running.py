"""Running the trainings of a cross-validation, some at a time, until all are done or a signal asks to stop."""

import signal
import time
from collections.abc import Sequence

from lesionseg.errors import InterruptionError
from lesionseg.study.crossval_child import Child
from lesionseg.study.crossval_jobs import Place
from lesionseg.study.crossval_plan import Training
from lesionseg.system.processes import Signals

PAUSE = 0.3
"""Seconds between two looks at the trainings."""


class Trainings:
    """Trainings in processes of their own.

    Args:
        places: What each training that runs gets of the machine; as many run at a time.
        options: Hydra's, for each of them.

    Attributes:
        failures: Why each training that has failed has, by its name.
    """

    def __init__(self, places: Sequence[Place], options: Sequence[str]) -> None:
        self.failures: dict[str, str] = {}
        self._free = list(places)
        self._options = options
        self._running: list[Child] = []

    def run(self, trainings: Sequence[Training]) -> None:
        """Runs all of them; one that fails ends no other.

        Raises:
            InterruptionError: A signal asked to stop. It was handed on, and all have ended.
        """
        signals, waiting = Signals(), list(trainings)
        signals.deferred = True
        width = max((len(training.name) for training in trainings), default=0)
        with signals.taken():
            try:
                while (waiting and signals.received is None) or self._running:
                    while waiting and self._free and signals.received is None:
                        self._start(waiting.pop(0), width)
                    self._look(signals.received, width)
            finally:  # also at a second signal, which stops them at once
                self._end()
        if signals.received is not None:
            raise InterruptionError(signals.received, f"{signal.Signals(signals.received).name}: stopped")

    def _start(self, training: Training, width: int) -> None:
        self._running.append(Child(training, self._free.pop(0), self._options))
        _say(training, width, f"started; its output goes to {self._running[-1].log}")

    def _look(self, received: int | None, width: int) -> None:
        """Shows what is new, hands a signal on once, and takes leave of those that have ended."""
        if received is not None:
            for child in self._running:
                child.ask_to_stop()
        time.sleep(PAUSE)
        ended = [child for child in self._running if child.has_ended()]
        for child in self._running:
            for line in child.news():
                _say(child.training, width, line)
        for child in ended:
            self._take_leave(child, width)

    def _take_leave(self, child: Child, width: int) -> None:
        self._running.remove(child)
        self._free.append(child.place)
        failure = child.failure()
        if failure is not None:
            self.failures[child.training.name] = failure
        _say(child.training, width, "finished" if failure is None else f"has not finished: {failure}")

    def _end(self) -> None:
        for child in self._running:
            child.stop()
        for child in self._running:
            child.wait()
        self._running.clear()


def _say(training: Training, width: int, line: str) -> None:
    print(f"{training.name:<{width}}  {line}", flush=True)
