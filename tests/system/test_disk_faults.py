"""A disk that is full, read-only or gone is told in words, with the file."""

import errno
import os
from pathlib import Path

import pytest

from lesionseg.system.disk_faults import disk_fault_of


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.ENOENT, "gone"),
        (errno.EACCES, "permission"),
    ],
)
def test_a_disk_that_fails_is_named_with_the_file(number: int, words: str) -> None:
    fault = disk_fault_of(OSError(number, os.strerror(number), "logs/a.ckpt"))
    assert words in str(fault)
    assert "logs/a.ckpt" in str(fault)


def test_a_folder_that_has_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "gone" / "a.csv").open("a")
    assert "gone" in str(disk_fault_of(caught.value))


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.EINVAL, "x"), RuntimeError("x")])
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert disk_fault_of(error) is None
