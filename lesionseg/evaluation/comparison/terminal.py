"""A comparison on the terminal."""

from pathlib import Path
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lesionseg.evaluation.comparison.comparison import NOTE, Comparison
from lesionseg.evaluation.comparison.tables import WordTable, direction_note, leaderboard, pairwise

TEXT_COLUMNS = {"method", "runs", "better", "other"}
LONG_COLUMNS = {"method", "better", "other", "95 % interval"}
LOG_WIDTH = 120
"""Characters; a file or a pipe has no width of its own, and nine columns are hard to read in the usual 80."""


def print_comparison(comparison: Comparison, folder: Path) -> None:
    """Prints the leaderboard, the pairs, how to read them and where the files are."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=LOG_WIDTH)
    tables = [leaderboard(comparison), *([pairwise(comparison)] if comparison.pairs else [])]
    for words in tables:
        console.print(_table(words), "")
    console.print(
        "\n".join(filter(None, (direction_note(comparison), NOTE))), style="dim", markup=False, highlight=False
    )
    print(f"tables and pictures  {folder}", flush=True)  # plainly: a wrapped path cannot be copied


def _table(words: WordTable) -> Table:
    """Lays a table out for 80 columns: what may take several lines are headings, names and intervals, not numbers."""
    table = Table(
        title=escape(words.title),
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )
    for heading in words.headings:
        justify: Literal["left", "right"] = "left" if heading in TEXT_COLUMNS else "right"
        wraps = heading in LONG_COLUMNS
        title = escape(heading if wraps else heading.replace(" ", "\n"))
        table.add_column(title, justify=justify, overflow="fold", no_wrap=not wraps)
    for row in words.rows:
        table.add_row(*map(escape, row))
    return table
