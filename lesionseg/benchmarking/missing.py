"""What cannot be measured here."""

from lesionseg import errors


class NotMeasurableError(Exception):
    """A measurement that cannot be had; the message says why and, where there is something, what to do about it."""


def first_line(error: BaseException) -> str:
    """Returns what went wrong first, in one line; compilers wrap advice for their own developers around it."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = inner
    return errors.first_line(error)
