"""A file is told from one that took its place, whatever that one's size and time."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionseg.data.file_stamp import file_stamp

TICK = 0.02
"""Seconds; file systems count time in steps of up to a hundredth of a second."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say when a file was last changed")


def written_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def put_in_its_place(path: Path, content: bytes) -> None:
    """As `rsync -t` and editors do: a whole new file under another name, then renamed."""
    new = path.with_name("new")
    new.write_bytes(content)
    shutil.copystat(path, new)
    os.replace(new, path)


@pytest.mark.parametrize("replace", [written_over, put_in_its_place])
def test_other_contents_of_equal_size_and_time_make_another_stamp(
    tmp_path: Path, replace: Callable[[Path, bytes], None]
) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"old contents")
    status, before = path.stat(), file_stamp(path)
    time.sleep(TICK)
    replace(path, b"new contents")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert file_stamp(path) != before


def test_an_older_file_moved_there_makes_another_stamp(tmp_path: Path) -> None:
    path, other = tmp_path / "mask.png", tmp_path / "other.png"
    for file, content in ((other, b"new contents"), (path, b"old contents")):
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))
    before = file_stamp(path)
    time.sleep(TICK)
    os.replace(other, path)
    assert file_stamp(path) != before


def test_reading_a_file_leaves_its_stamp(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"contents")
    before = file_stamp(path)
    assert path.read_bytes()
    assert file_stamp(path) == before
