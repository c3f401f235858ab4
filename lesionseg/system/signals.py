"""Signals that ask a training to stop: noted while it trains, obeyed at the next place where it can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lesionseg.errors import InterruptionError

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
"""Ctrl-C, a batch system's request to leave, and its warning that the time is nearly over."""

Handler = Any
"""What `signal.signal` takes and returns."""


class Signals:
    """Takes the stopping signals of a training.

    While `deferred` they are only noted in `received`; a second one, or one at another time, stops at once. What was
    saved until then is what a resumed run goes on from.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Takes the signals for as long as the context lasts; in a thread, which gets none, it does nothing."""
        before = self.install()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def install(self) -> dict[int, Handler]:
        """Puts itself in place, Lightning's own handlers of a fit being in between, and returns what was there."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {number: signal.signal(number, self._handle) for number in STOPPING}

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.deferred and self.received is None:
            self.received = number
            return
        self.received = number
        raise InterruptionError(number, f"{signal.Signals(number).name}: stopped at once")
