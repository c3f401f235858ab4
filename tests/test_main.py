"""`python -m lesionseg`: the list of verbs, and running one of them."""

import sys

import pytest

import lesionseg
from lesionseg.__main__ import VERBS, main
from lesionseg.config.schema import CONF


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["lesionseg", *words])
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_it_lists_every_verb_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert called(monkeypatch, *words) == 0
    printed = capsys.readouterr().out
    for verb in (path.stem for path in CONF.glob("*.yaml")):
        assert f"python -m lesionseg.{verb} " in printed


def test_a_verb_that_is_none_is_named_with_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "trian") == 2
    printed = capsys.readouterr().err
    assert "no verb 'trian'" in printed
    assert "lesionseg.train " in printed


@pytest.mark.parametrize("words", [["--version"], ["predict", "--version"], ["check-data", "--version"]])
def test_the_version_is_lesionsegs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert called(monkeypatch, *words) == 0
    assert capsys.readouterr().out == f"lesionseg {lesionseg.__version__}\n"


def test_the_verbs_are_those_of_conf() -> None:
    assert set(VERBS) == {path.stem for path in CONF.glob("*.yaml")}
