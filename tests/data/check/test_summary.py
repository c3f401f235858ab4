"""The doctor's words on the terminal."""

import pytest

from lesionseg.data.check.diagnosis import Diagnosis
from lesionseg.data.check.finding import Finding
from lesionseg.data.check.summary import print_diagnosis


def test_brackets_in_the_name_of_an_image_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_diagnosis(Diagnosis([], [Finding("empty_mask", ("[/b]", "a [1]"), "")]))
    assert "[/b] = a [1]" in " ".join(capsys.readouterr().out.split())
