"""What cannot be measured here."""


class NotMeasurableError(Exception):
    """A measurement that cannot be had; the message says why and, where there is something, what to do about it."""


def first_line(error: BaseException) -> str:
    """Returns what went wrong first, in one line; compilers wrap advice for their own developers around it."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = inner
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
