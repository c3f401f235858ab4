"""A cross-validation on the terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from lesionseg.report.terminal import console, empty_table
from lesionseg.study.comparison_tables import WordTable


def print_tables(tables: Sequence[WordTable], notes: Sequence[str]) -> None:
    """Prints the tables, and below them how they are to be read."""
    screen = console()
    for words in tables:
        screen.print(_table(words), "")
    screen.print("\n".join(notes), style="dim", markup=False, highlight=False)


def _table(words: WordTable) -> Table:
    """Lays a table out; intervals and titles may take several lines, names may not."""
    table = empty_table(words.title)
    for place, heading in enumerate(words.headings):
        table.add_column(escape(heading), justify="right" if place else "left", no_wrap=place == 0)
    for row in words.rows:
        table.add_row(*map(escape, row))
    return table
