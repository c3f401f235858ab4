import dataclasses
import os
from pathlib import Path, PurePosixPath

import pytest

from lesionseg.errors import InputError
from lesionseg.postprocessing.run_length import Box
from lesionseg.prediction.jobs import OutputFolder
from lesionseg.prediction.journal import Entry, Journal
from lesionseg.prediction.prediction import Measures

MEASURES = Measures(
    width=40,
    height=30,
    area_pixels=6,
    area_percent=0.5,
    box=Box(1, 2, 3, 4),
    centroid=(1.5, 2.5),
    mean_confidence=0.9,
    expected_jaccard=0.8,
    touches_border=False,
)
ENTRY = Entry(
    image="sub/ä b.jpg",
    mask="sub/ä b.png",
    model="ab" * 32,
    image_stamp=(123, 456, 789),
    mask_crc32=789,
    has_probability=False,
    has_overlay=True,
    measures=MEASURES,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_what_is_added_is_read_again(path: Path) -> None:
    Journal(path).add(ENTRY)
    assert Journal(path).entries == {ENTRY.mask: ENTRY}


def test_an_image_without_a_lesion_is_read_again(path: Path) -> None:
    empty = dataclasses.replace(MEASURES, box=None, centroid=None, mean_confidence=None)
    entry = dataclasses.replace(ENTRY, measures=empty)
    Journal(path).add(entry)
    assert Journal(path).entries[ENTRY.mask] == entry


def test_the_last_line_for_a_mask_counts(path: Path) -> None:
    journal = Journal(path)
    journal.add(ENTRY)
    journal.add(dataclasses.replace(ENTRY, mask_crc32=1))
    assert Journal(path).entries[ENTRY.mask].mask_crc32 == 1


@pytest.mark.parametrize("kept", range(0, 400, 13))
def test_a_line_cut_short_at_any_place_spoils_no_other(path: Path, kept: int) -> None:
    Journal(path).add(dataclasses.replace(ENTRY, mask="first.png"))
    whole = path.read_bytes()
    Journal(path).add(ENTRY)
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    Journal(path).add(dataclasses.replace(ENTRY, mask="last.png"))
    assert {"first.png", "last.png"} <= Journal(path).entries.keys()


def test_lines_of_earlier_versions_are_read_but_fit_no_photograph(path: Path) -> None:
    Journal(path).add(ENTRY)
    line = path.read_text()
    path.write_text(line.replace('"image_stamp":[123,456,789]', '"image_identity":[123,456]'))
    assert path.read_text() != line
    assert Journal(path).entries == {ENTRY.mask: dataclasses.replace(ENTRY, image_stamp=(123, 456))}


@pytest.mark.parametrize("line", ["[]", "null", "{}", '"text"', '{"measures": {}}', "\x00\xff", '{"measures": null}'])
def test_lines_of_another_kind_are_passed_over(path: Path, line: str) -> None:
    path.write_text(line)
    assert Journal(path).entries == {}


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
