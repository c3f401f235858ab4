"""A benchmark on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from lesionseg.benchmarking.report import Report
from lesionseg.benchmarking.tables import notes, speed_table, subject_table
from lesionseg.report.terminal import console, empty_table
from lesionseg.study.comparison_tables import WordTable

NUMBERS = {"images/s", "middle half", "parameters", "GFLOPs an image", "training step's peak memory"}
LOG_WIDTH = 140
"""Characters; a file or a pipe has no width of its own."""


def print_report(report: Report, folder: Path) -> None:
    """Prints both tables, how to read them and where the files are."""
    screen = console(LOG_WIDTH)
    for words in (subject_table(report), speed_table(report)):
        screen.print(_table(words, wide=("how",)), "")
    screen.print("\n".join(notes(report)), style="dim", markup=False, highlight=False)
    print(f"tables, data and picture  {folder}", flush=True)  # plainly: a wrapped path cannot be copied


def _table(words: WordTable, *, wide: Sequence[str]) -> Table:
    """Lays a table out; a stage is named once."""
    table = empty_table(words.title)
    for heading in words.headings:
        is_number = heading in NUMBERS or heading.startswith("times ")
        table.add_column(
            escape(heading), justify="right" if is_number else "left", overflow="fold", no_wrap=heading not in wide
        )
    before = ""
    for row in words.rows:
        first = "" if row[0] == before else row[0]
        table.add_row(*map(escape, [first, *row[1:]]))
        before = row[0]
    return table
