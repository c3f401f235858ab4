"""A cross-validation on the terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lesionseg.evaluation.comparison.tables import WordTable

LOG_WIDTH = 120
"""Characters; a file or a pipe has no width of its own, and seven columns are hard to read in the usual 80."""


def print_tables(tables: Sequence[WordTable], notes: Sequence[str]) -> None:
    """Prints the tables, and below them how they are to be read."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=LOG_WIDTH)
    for words in tables:
        console.print(_table(words), "")
    console.print("\n".join(notes), style="dim", markup=False, highlight=False)


def _table(words: WordTable) -> Table:
    """Lays a table out; intervals and titles may take several lines, names may not."""
    table = Table(
        title=escape(words.title),
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )
    for place, heading in enumerate(words.headings):
        table.add_column(escape(heading), justify="right" if place else "left", no_wrap=place == 0)
    for row in words.rows:
        table.add_row(*map(escape, row))
    return table
