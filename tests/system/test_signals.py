"""Signals are noted while a training trains, and obeyed at once at other times."""

import os
import signal
import threading

import pytest

from lesionseg.errors import InterruptionError
from lesionseg.system.signals import STOPPING, Signals


@pytest.mark.parametrize("number", STOPPING)
def test_a_deferred_signal_is_noted(number: int) -> None:
    signals = Signals()
    with signals.taken():
        signals.deferred = True
        os.kill(os.getpid(), number)
        assert signals.received == number


@pytest.mark.parametrize("number", STOPPING)
def test_at_other_times_it_stops_at_once(number: int) -> None:
    signals = Signals()
    with signals.taken(), pytest.raises(InterruptionError) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.signal_number == number


def test_a_second_one_is_not_put_off() -> None:
    signals = Signals()
    with signals.taken():
        signals.deferred = True
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(InterruptionError):
            os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = {number: signal.getsignal(number) for number in STOPPING}
    with Signals().taken():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in STOPPING} == before


def test_in_a_thread_nothing_is_taken() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def look() -> None:
        with Signals().taken():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]


def test_an_interruption_ends_what_catches_ordinary_errors() -> None:
    """Hydra goes on with the next job of a sweep after any `Exception`."""
    assert not issubclass(InterruptionError, Exception)
