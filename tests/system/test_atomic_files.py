"""Files are whole or as they were before."""

import os
from pathlib import Path

import pytest

from lesionseg.system.atomic_files import whole_file, whole_folder, write_json, write_whole


def test_a_file_and_the_folders_above_it_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.txt", "ä\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ä\n".encode()


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "before")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_others_may_read_it_as_far_as_the_user_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_json_is_for_people_too(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Müller", "values": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "name": "Müller",\n  "values": [\n    1\n  ]\n}\n'


def test_a_folders_files_appear_together_in_place_of_older_ones(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").touch()
    (tmp_path / "other.txt").touch()
    with whole_folder(tmp_path) as draft:
        (draft / "figures").mkdir()
        (draft / "figures" / "new.png").touch()
        write_whole(draft / "a.txt", "new")
        assert not (tmp_path / "a.txt").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"figures", "other.txt", "a.txt"}
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["new.png"]


def test_nothing_appears_in_a_folder_where_one_file_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "run") as draft:
            write_whole(draft / "a.txt", "half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert list((tmp_path / "run").iterdir()) == []
