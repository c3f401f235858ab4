"""Tables, warnings and file names on the terminal."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich import table as rich_table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from lesionseg.report.table import Table

LOG_WIDTH = 120  # characters of a line in files and pipes; seven columns are hard to read in the usual 80
WIDEST = 10_000  # characters, more than any table takes


def console(log_width: int = LOG_WIDTH) -> Console:
    """Returns the terminal at its own width, or a file or pipe of `log_width` characters."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=log_width)


def print_tables(*tables: Table, styles: Mapping[str, str] | None = None, log_width: int = LOG_WIDTH) -> None:
    """Prints tables one below the other, each with its notes; `styles` maps texts of cells to rich styles."""
    screen = console(log_width)
    for table in tables:
        if table.title:  # rich would wrap its own title to the width of the table
            screen.print(table.title, style="italic", markup=False, highlight=False)
        layout = _layout(table, styles or {}, breaks_headings=False)
        if screen.measure(layout, options=screen.options.update(width=WIDEST)).maximum > screen.width:
            layout = _layout(table, styles or {}, breaks_headings=True)
        screen.print(layout, "")
        print_notes(table.notes, screen)


def print_notes(notes: Iterable[str], screen: Console | None = None) -> None:
    """Prints sentences in a quiet colour."""
    for note in notes:
        (screen or console()).print(note, style="dim", markup=False, highlight=False)


def print_warning(text: str) -> None:
    """Prints a text in a red frame."""
    Console().print(Panel(escape(text), style="bold red", title="warning"))


def print_lines(lines: Mapping[str, str]) -> None:
    """Prints texts beside their names, plainly: a path that is wrapped or coloured cannot be copied."""
    width = max(map(len, lines), default=0)
    print("\n".join(f"{name:<{width}}  {text}" for name, text in lines.items()), flush=True)


def short(path: Path) -> str:
    """Returns the absolute path, or the path from the current folder where that is shorter."""
    absolute = str(path.absolute())
    return min(absolute, os.path.relpath(absolute), key=len)


def _layout(table: Table, styles: Mapping[str, str], *, breaks_headings: bool) -> rich_table.Table:
    """Lays a table out without a frame. Text and ranges may take several lines where space is short, numbers may not.

    With `breaks_headings`, a column of single numbers is as narrow as they are.
    """
    layout = rich_table.Table(
        header_style="bold", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False
    )
    for column, heading in enumerate(table.headings):
        is_number = table.holds_numbers(column)
        width = max((len(row[column]) for row in table.rows), default=0)
        is_single = is_number and not any(" " in row[column] for row in table.rows)
        text = _broken(heading, width) if is_single and breaks_headings else heading
        layout.add_column(escape(text), justify="right" if is_number else "left", overflow="fold", no_wrap=is_single)
    for row in table.rows:
        layout.add_row(*(Text(cell, styles.get(cell, "")) for cell in row))
    return layout


def _broken(heading: str, width: int) -> str:
    """Breaks a heading after blanks, dots and slashes into lines of `width` characters or of one longer word."""
    lines = [""]
    for word in re.findall(r"[^ ./]+[ ./]*|[ ./]+", heading):
        if lines[-1] and len((lines[-1] + word).rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)
