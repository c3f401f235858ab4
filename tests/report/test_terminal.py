"""Tables look alike on the terminal, and are wide enough where there is none."""

from pathlib import Path

import pytest

from lesionseg.report.table import Table
from lesionseg.report.terminal import LOG_WIDTH, print_lines, print_tables, print_warning, short


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
