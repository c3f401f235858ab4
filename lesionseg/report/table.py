"""Tables of words for Markdown and LaTeX; `lesionseg.report.terminal` prints them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|<*`[]"} | {"\n": " ", "\r": " "})
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "_&%#${}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "\n": " ", "\r": " "}
    | {"[": "{[}"}  # after \midrule, [ would open an option
)
NUMBER = re.compile(r"(?:[-+<>=±/x%,.\d\s\[\]]|\bto\b|\b[kMG]?B\b)*")
"""Matches `-0.12`, `0.81 to 0.85`, `85.2 [84.0, 86.5]`, `1,024 x 768` and `-` for what is unknown."""


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


def _row(cells: Iterable[str], escape: Callable[[str], str]) -> str:
    return f"| {' | '.join(map(escape, cells))} |"
