"""A bar that counts bytes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


@contextmanager
def byte_bar(title: str, *, total: int | None, done: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar while the block runs, on a terminal only.

    Args:
        title: Stands before the bar.
        total: Bytes, None where nobody knows.
        done: Bytes that are there already.

    Yields:
        A function to call with the number of bytes that have just been dealt with.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as progress:
        task = progress.add_task(title, total=total, completed=done)
        yield lambda count: progress.advance(task, count)


def readable(size: int) -> str:
    """Words a number of bytes, in powers of 1000 as disks and browsers count them."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
