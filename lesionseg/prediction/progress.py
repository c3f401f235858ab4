"""Progress for people: a bar with images a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class ImagesPerSecond(ProgressColumn):
    """Shows the speed of the last half minute."""

    def render(self, task: Task) -> Text:
        """Words the speed; nothing before the first images are done."""
        return Text(f"{task.speed:.1f} images/s" if task.speed else "")


@contextmanager
def image_bar(title: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar while the block runs, on a terminal only.

    Yields:
        A function to call with the number of images that have just been done.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), ImagesPerSecond())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=not sys.stdout.isatty()) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)
