"""How tables look on the terminal, and how wide they may be where there is none."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

LOG_WIDTH = 120
"""Characters; a file or a pipe has no width of its own, and seven columns are hard to read in the usual 80."""


def console(log_width: int = LOG_WIDTH) -> Console:
    """Returns the terminal as wide as it is, or a file or pipe of `log_width` characters."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=log_width)


def empty_table(title: str) -> Table:
    """Returns a table without columns and without a frame, which leaves the width to the words."""
    return Table(
        title=escape(title),
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )
