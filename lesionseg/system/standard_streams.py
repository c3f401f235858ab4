"""Standard output and standard error that outlast their reader: no work is lost because nobody reads of it."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

GONE = (errno.EPIPE, errno.EIO)
"""What writing meets when the reader of a pipe (`head`) has ended, and when a terminal has been closed."""


class LastingFile(io.FileIO):
    """A file that is written to; once its reader is gone, what is written to it is thrown away."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Writes bytes, or leaves it and sends all that follows, of child processes too, to nowhere."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE:
                raise
            _send_to_nowhere(self.fileno())
            return memoryview(data).nbytes


def outlast_readers() -> None:
    """Lets `sys.stdout` and `sys.stderr` go mute, in place of raising, when their reader goes away.

    One that was closed before the process started (`>&-`) is opened to nowhere, or the next file that is opened would
    get its number, and with it what others print. Streams that were put in place of Python's own are left alone.
    """
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lasting(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lasting(sys.stderr, 2)


def _lasting(stream: TextIO | None, number: int) -> TextIO:
    """Opens a stream's file anew, with the same settings."""
    if stream is None:
        _send_to_nowhere(number)
        return open(number, "w", encoding="utf-8", closefd=False)
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(LastingFile(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream is sys.stderr or stream.isatty(),
    )


def _send_to_nowhere(number: int) -> None:
    """Makes a file descriptor, open or not, that of a file which takes everything and keeps nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
