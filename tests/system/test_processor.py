"""The CPU is called what the system calls it."""

import platform
from pathlib import Path

import pytest

from lesionseg.system.processor import processor_name


@pytest.mark.parametrize("there", [True, False])
def test_linux_tells_in_a_file_and_others_by_themselves(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    text = "processor\t: 0\nmodel name\t: Some CPU: 9\n\nprocessor\t: 1\nmodel name\t: Some CPU: 9\n"
    monkeypatch.setattr(Path, "exists", lambda _: there)
    monkeypatch.setattr(Path, "read_text", lambda _: text)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert processor_name() == ("Some CPU: 9" if there else "arm")
