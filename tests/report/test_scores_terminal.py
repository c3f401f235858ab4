"""The last words of an evaluation."""

from dataclasses import replace
from pathlib import Path

import pytest

from lesionseg.evaluation.summary import Summary
from lesionseg.report.scores_terminal import print_summary


@pytest.mark.parametrize("name", ["mine [bold]", "[/b] z", "a [1], b"])
def test_brackets_in_a_name_are_shown(summary: Summary, capsys: pytest.CaptureFixture[str], name: str) -> None:
    print_summary(replace(summary, name=name), Path("run [2]"))
    printed = capsys.readouterr().out
    assert f"{name}: 12 images" in printed
    assert "run [2]/report.html" in printed
