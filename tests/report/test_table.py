"""One table looks right in Markdown and in LaTeX, whatever its cells hold."""

import pytest
from markdown_it import MarkdownIt

from lesionseg.report.table import Table, latex_text, markdown_text

SPEED = Table("Speed", ["way", "images/s"], [["eager", "3.5"], ["onnx", "4 to 5"]], ["Higher is better."])


def html(markdown: str) -> str:
    return MarkdownIt().enable("table").render(markdown)


def test_markdown_has_title_head_rows_and_notes() -> None:
    rows = ["| way | images/s |", "| --- | ---: |", "| eager | 3.5 |", "| onnx | 4 to 5 |"]
    assert SPEED.markdown() == "\n".join(["**Speed**", "", *rows, "", "Higher is better.", ""])


def test_latex_has_a_comment_a_rule_and_rows() -> None:
    lines = [
        "% Speed. Higher is better.",
        r"way & images/s \\",
        r"\midrule",
        r"eager & 3.5 \\",
        r"onnx & 4 to 5 \\",
        "",
    ]
    assert SPEED.latex().splitlines() == lines[:-1]
    assert SPEED.latex().endswith("\n")


def test_every_character_of_a_cell_is_shown_in_markdown() -> None:
    name = r"a|b <c> *d* `e` [f](g) \| U_Net"
    page = html(Table("", ["method"], [[name], ["two\nlines"]]).markdown())
    assert r"<td>a|b &lt;c&gt; *d* `e` [f](g) \| U_Net</td>" in page
    assert "<td>two lines</td>" in page
    assert page.count("<tr>") == 3


def test_latex_escapes_every_special_character() -> None:
    written = r"\_ \& \% \# \$ \{ \} \textasciitilde{} \textasciicircum{} \textbackslash{} \textless{} {[}"
    assert latex_text(r"_ & % # $ { } ~ ^ \ < [") == written


def test_a_line_break_in_a_title_stays_in_the_comment() -> None:
    assert Table("a\nb", ["x"], [["1"]]).latex().splitlines()[0] == "% a b."


@pytest.mark.parametrize(
    ("cells", "is_number"),
    [
        (["0.12", "-", "", "< 0.0001"], True),
        (["0.8100 to 0.8500", "85.2 [84.0, 86.5]", "+0.01", "0.8 ± 0.1"], True),
        (["1,024 x 768", "95.7 %", "1/25.6", "812 MB"], True),
        (["0.12", "unknown"], False),
        (["fold0"], False),
        (["to be done"], False),
    ],
)
def test_numbers_and_ranges_are_told_from_words(cells: list[str], is_number: bool) -> None:
    assert Table("", ["column"], [[cell] for cell in cells]).holds_numbers(0) is is_number


def test_text_outside_tables_is_escaped_alike() -> None:
    assert html(markdown_text("<b> [x](y)")) == "<p>&lt;b&gt; [x](y)</p>\n"
