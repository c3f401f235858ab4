"""Errors that are shown without a traceback: wrong input, a failing machine, a run that is asked to stop."""

from collections.abc import Mapping, Sequence

LONGEST_LIST = 10
"""Number of findings that are printed; thousands of them would scroll the first one away."""


class InputError(ValueError):
    """Wrong input: a setting, a file or a folder. The message says what was found, what is allowed and what to do.

    The verbs print it without a traceback and exit with code 2.
    """


class FaultError(RuntimeError):
    """The machine failed, not the input: a full disk, a killed process, too little memory.

    The message says what happened, what is still whole and how to go on. The verbs print it without a traceback and
    exit with code 1.
    """


class InterruptionError(BaseException):
    """A signal has stopped a run, which is saved; the message says how to go on.

    The verbs exit with 128 and the signal's number. It is no `Exception`, so that it ends a whole sweep, as
    `KeyboardInterrupt` does.
    """

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class PruningError(Exception):
    """A sweep has stopped a run as hopeless compared with its others.

    Args:
        message: Reason.
        results: Best monitored value by its name, which `run.json` keeps.
    """

    def __init__(self, message: str, results: Mapping[str, float]) -> None:
        super().__init__(message)
        self.results = dict(results)


def raise_all(title: str, findings: Sequence[str]) -> None:
    """Raises one `InputError` that lists the findings, if there are any."""
    if not findings:
        return
    shown = [f"  - {finding}" for finding in findings[:LONGEST_LIST]]
    if len(findings) > LONGEST_LIST:
        shown.append(f"  ... and {len(findings) - LONGEST_LIST} more")
    raise InputError("\n".join([title, *shown]))


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or the name of its class where it has none."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
