"""Tables of words as Markdown."""

from collections.abc import Sequence


def markdown_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Writes a table under its title, with a line break at its end; names in it may hold any characters."""
    lines = ["| " + " | ".join(map(markdown_cell, row)) + " |" for row in (headings, ["---"] * len(headings), *rows)]
    return "\n".join([f"**{title}**", "", *lines, ""])


def markdown_cell(word: str) -> str:
    """Keeps a bar from ending the cell, a bracket from opening a tag and a line break from ending the row."""
    return word.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
