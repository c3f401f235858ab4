"""Tables of words for Markdown, LaTeX and the terminal, and everything else that is printed there."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import table as rich_table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|<*`[]"} | {"\n": " ", "\r": " "})
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "_&%#${}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "\n": " ", "\r": " "}
    | {"[": "{[}"}  # after \midrule, [ would open an option
)
NUMBER = re.compile(r"(?:[-+<>=±/x%,.\d\s\[\]]|\bto\b|\b[kMG]?B\b)*")
"""Matches `-0.12`, `0.81 to 0.85`, `85.2 [84.0, 86.5]`, `1,024 x 768` and `-` for what is unknown."""
LOG_WIDTH = 120  # characters of a line in files and pipes; seven columns are hard to read in the usual 80
WIDEST = 10_000  # characters, more than any table takes


@dataclass(frozen=True)
class Table:
    """A table whose cells may hold any characters; columns of numbers are aligned to the right."""

    title: str  # empty for none
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()  # sentences below the table

    def holds_numbers(self, column: int) -> bool:
        """Tells whether every cell of a column is a number, a range, or empty."""
        return all(NUMBER.fullmatch(row[column]) for row in self.rows)

    def markdown(self) -> str:
        """Writes the title in bold, the table and the notes; ends with a line break."""
        alignments = ["---:" if self.holds_numbers(column) else "---" for column in range(len(self.headings))]
        head, *rows = (_row(cells, markdown_text) for cells in (self.headings, *self.rows))
        table = "\n".join([head, f"| {' | '.join(alignments)} |", *rows])
        title = [f"**{markdown_text(self.title)}**"] if self.title else []
        return "\n\n".join([*title, table, *map(markdown_text, self.notes)]) + "\n"

    def latex(self) -> str:
        r"""Writes title and notes as a comment, then heading, `\midrule` and rows for a `tabular` with booktabs."""
        comment = " ".join([f"{self.title}.", *self.notes] if self.title else self.notes)
        lines = [" & ".join(map(latex_text, cells)) + r" \\" for cells in (self.headings, *self.rows)]
        return "\n".join([f"% {' '.join(comment.split())}", lines[0], r"\midrule", *lines[1:], ""])


def markdown_text(text: str) -> str:
    """Escapes what Markdown would not print as it stands, inside and outside tables."""
    return text.translate(MARKDOWN)


def latex_text(text: str) -> str:
    """Escapes what LaTeX would not print as it stands."""
    return text.translate(LATEX)


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


def _row(cells: Iterable[str], written: Callable[[str], str]) -> str:
    return f"| {' | '.join(map(written, cells))} |"


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
