"""A comparison on the terminal."""

from pathlib import Path
from typing import Literal

from rich.markup import escape
from rich.table import Table

from lesionseg.report.terminal import console, empty_table
from lesionseg.study.comparison import NOTE, Comparison
from lesionseg.study.comparison_tables import WordTable, direction_note, few_images_note, leaderboard, pairwise

TEXT_COLUMNS = {"method", "runs", "better", "other"}
LONG_COLUMNS = {"method", "better", "other", "95 % interval"}


def print_comparison(comparison: Comparison, folder: Path) -> None:
    """Prints the leaderboard, the pairs, how to read them and where the files are."""
    screen = console()
    tables = [leaderboard(comparison), *([pairwise(comparison)] if comparison.pairs else [])]
    for words in tables:
        screen.print(_table(words), "")
    notes = filter(None, (direction_note(comparison), NOTE, few_images_note(comparison)))
    screen.print("\n".join(notes), style="dim", markup=False, highlight=False)
    print(f"tables and pictures  {folder}", flush=True)  # plainly: a wrapped path cannot be copied


def _table(words: WordTable) -> Table:
    """Lays a table out for 80 columns: what may take several lines are headings, names and intervals, not numbers."""
    table = empty_table(words.title)
    for heading in words.headings:
        justify: Literal["left", "right"] = "left" if heading in TEXT_COLUMNS else "right"
        wraps = heading in LONG_COLUMNS
        title = escape(heading if wraps else heading.replace(" ", "\n"))
        table.add_column(title, justify=justify, overflow="fold", no_wrap=not wraps)
    for row in words.rows:
        table.add_row(*map(escape, row))
    return table
