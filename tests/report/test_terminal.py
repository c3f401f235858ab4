"""Tables look alike on the terminal, and are wide enough where there is none."""

import pytest

from lesionseg.report.terminal import LOG_WIDTH, console, empty_table


def printed(capsys: pytest.CaptureFixture[str], width: int = LOG_WIDTH) -> list[str]:
    table = empty_table("scores [val]")
    table.add_column("name")
    table.add_row("word " * 60)
    console(width).print(table)
    return capsys.readouterr().out.splitlines()


def test_where_there_is_no_terminal_a_table_has_the_width_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert LOG_WIDTH - 8 < max(map(len, printed(capsys))) <= LOG_WIDTH
    assert 132 < max(map(len, printed(capsys, 140))) <= 140


def test_a_title_is_printed_as_it_is_and_there_is_no_frame(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys)
    assert lines[0].strip() == "scores [val]"
    assert not any(line.startswith(("│", "┃", "|")) for line in lines)
