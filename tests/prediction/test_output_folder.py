import os
from pathlib import Path, PurePosixPath

import pytest

from lesionseg.errors import InputError
from lesionseg.prediction.output_folder import OutputFolder


def test_a_file_is_put_in_its_place_with_its_folders(tmp_path: Path) -> None:
    OutputFolder(tmp_path / "out").write(PurePosixPath("a/b/c.png"), b"content")
    assert (tmp_path / "out" / "a" / "b" / "c.png").read_bytes() == b"content"


def test_a_write_that_fails_leaves_the_previous_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = OutputFolder(tmp_path)
    folder.write(PurePosixPath("a.png"), b"before")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        folder.write(PurePosixPath("a.png"), b"after")
    assert (tmp_path / "a.png").read_bytes() == b"before"


def test_nothing_unfinished_is_in_sight_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = OutputFolder(tmp_path), []
    replace = os.replace

    def look(source: Path, target: Path) -> None:
        seen.extend(path.name for path in tmp_path.iterdir())
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    folder.write(PurePosixPath("a.png"), b"content")
    assert seen == [".lesionseg"]


def test_sweeping_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    (folder.hidden / "unfinished" / "half").write_bytes(b"ha")
    folder.sweep()
    assert not list((folder.hidden / "unfinished").iterdir())


def test_tidying_keeps_a_journal_and_nothing_else(tmp_path: Path) -> None:
    plain, with_journal = OutputFolder(tmp_path / "a"), OutputFolder(tmp_path / "b")
    (with_journal.hidden / "journal.jsonl").write_text("")
    plain.tidy()
    with_journal.tidy()
    assert not list((tmp_path / "a").iterdir())
    assert [path.name for path in (tmp_path / "b" / ".lesionseg").iterdir()] == ["journal.jsonl"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no folder can be made there"):
        OutputFolder(tmp_path / "file")
