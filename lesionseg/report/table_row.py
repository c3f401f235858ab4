"""An evaluation as one row of a paper's table, in Markdown and in LaTeX."""

from collections.abc import Sequence

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate, Summary
from lesionseg.metrics.definitions import own_names, recorded_definitions

COLUMNS = {
    "jaccard": "Jaccard",
    "dice": "Dice",
    "threshold_jaccard": "threshold Jaccard",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "hd95": "HD95 (% diag.)",
}
"""Headings by metric; all in %, as in the literature of skin lesions."""
NOTE = f"All in %. Each score is computed per image, then averaged over images. In brackets {HOW}."

MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|<*`[]"} | {"\n": " ", "\r": " "})
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "_&%#${}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "\n": " ", "\r": " "}
    | {"[": "{[}"}  # after \midrule it would be an option
)


def markdown_row(summary: Summary) -> str:
    """Writes a table of one row, with a comment that says how its numbers came about."""
    headings = ["Method", "N", *_columns(summary).values()]
    alignments = [":---", *["---:"] * (len(headings) - 1)]
    cells = [markdown_text(summary.name), str(summary.images), *_values(summary)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (headings, alignments, cells))
    return f"<!-- {NOTE} -->\n\n{table}\n"


def latex_row(summary: Summary) -> str:
    r"""Writes heading, `\midrule` and row for a `tabular` with the package booktabs, and a comment."""
    headings = ["Method", "$N$", *map(latex_text, _columns(summary).values())]
    return latex_rows(NOTE, headings, [[latex_text(summary.name), str(summary.images), *_values(summary)]])


def latex_rows(note: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Writes a comment, headings, `\midrule` and rows for the inside of a `tabular`, with the package booktabs.

    Args:
        note: How the numbers are to be read, in one line.
        headings: In LaTeX.
        rows: Cells in LaTeX.
    """
    lines = [" & ".join(cells) + r" \\" for cells in (headings, *rows)]
    return "\n".join([f"% {note}", lines[0], r"\midrule", *lines[1:], ""])


def markdown_text(text: str) -> str:
    """Escapes what Markdown would not print as it stands, inside a table's cell as well as outside."""
    return text.translate(MARKDOWN)


def latex_text(text: str) -> str:
    """Escapes what LaTeX would not print as it stands."""
    return text.translate(LATEX)


def _columns(summary: Summary) -> dict[str, str]:
    """Returns the headings by metric: the usual ones, then those that the configuration adds."""
    definitions = recorded_definitions(summary.definitions)
    return COLUMNS | {name: definitions[name].title for name in own_names(definitions)}


def _values(summary: Summary) -> list[str]:
    definitions = recorded_definitions(summary.definitions)
    return [_value(summary.metrics[name], 1 if definitions[name].unit else 100) for name in _columns(summary)]


def _value(estimate: Estimate, factor: int) -> str:
    """Writes a score and its interval in %; one image has no interval."""
    if estimate.low is None or estimate.high is None:
        return f"{factor * estimate.value:.1f}"
    return f"{factor * estimate.value:.1f} [{factor * estimate.low:.1f}, {factor * estimate.high:.1f}]"
