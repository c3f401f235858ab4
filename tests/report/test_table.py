"""One table looks right in Markdown, in LaTeX and on the terminal, whatever its cells hold."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from lesionseg.report.table import (
    LOG_WIDTH,
    Table,
    latex_text,
    markdown_text,
    print_lines,
    print_tables,
    print_warning,
    short,
)

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


def printed(capsys: pytest.CaptureFixture[str], table: Table, width: int = LOG_WIDTH) -> list[str]:
    print_tables(table, log_width=width)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [LOG_WIDTH, 140])
def test_without_a_terminal_a_table_has_the_width_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    lines = printed(capsys, Table("", ["name"], [["word " * 60]]), width)
    assert width - 8 < max(map(len, lines)) <= width


def test_titles_cells_and_notes_are_printed_as_they_are_and_there_is_no_frame(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(capsys, Table("scores [val]", ["na[m]e"], [["[bold]"]], ["Read [this]."]))
    assert [line.strip() for line in lines if line.strip(" ─")] == ["scores [val]", "na[m]e", "[bold]", "Read [this]."]
    assert not any(line.startswith(("│", "┃", "|")) for line in lines)


def test_numbers_stay_whole_and_headings_break_where_space_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    headings = ["method", *(f"metric {number}.of/{number}" for number in range(6))]
    lines = printed(capsys, Table("", headings, [["a long name " * 5, *["0.123456"] * 6]]), 78)
    assert max(map(len, lines)) <= 78
    assert "\n".join(lines).count("0.123456") == 6
    assert lines[0].endswith("  metric")
    assert lines[1].endswith("  5.of/5")


def test_numbers_are_aligned_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, Table("", ["a", "b"], [["x", "1.25"], ["yyy", "10.25"]]))
    assert [len(line.rstrip()) for line in lines[2:4]] == [len(lines[3].rstrip())] * 2


def test_lines_are_aligned_and_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines({"a": "x" * 300, "long": "y"})
    assert capsys.readouterr().out == f"a     {'x' * 300}\nlong  y\n"


def test_a_warning_shows_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    print_warning("[red] is a colour")
    assert "[red] is a colour" in capsys.readouterr().out


def test_a_path_is_shortened_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short(tmp_path / "run" / "report.html") == "run/report.html"
    assert short(Path("/tmp")) == "/tmp"
