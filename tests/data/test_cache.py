"""What all caches share: where disk caches are, and reading many samples at once."""

import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lesionseg.data.cache import cache_folder, read_all
from lesionseg.data.sample import Array, Resized, Sample
from lesionseg.errors import InputError


@dataclass(frozen=True)
class Level(Sample):
    """One grey level; -1 cannot be read."""

    level: int

    def image(self) -> Array:
        if self.level < 0:
            raise InputError(f"{self.id} is spoilt")
        return np.full((40, 50, 3), self.level, np.uint8)

    def mask(self) -> Array:
        return np.ones((40, 50), np.uint8)


def levels(*values: int) -> list[Level]:
    return [Level(f"sample {row}", level) for row, level in enumerate(values)]


def test_the_given_folder_wins_over_the_variable_and_the_variable_over_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LESIONSEG_CACHE", str(tmp_path / "variable"))
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    assert cache_folder(None) == tmp_path / "variable"


@pytest.mark.skipif(sys.platform != "linux", reason="caches are elsewhere on other systems")
@pytest.mark.parametrize("variable", [None, ""])
def test_by_default_caches_are_where_the_xdg_specification_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LESIONSEG_CACHE")
    if variable is not None:
        monkeypatch.setenv("LESIONSEG_CACHE", variable)
    assert cache_folder(None) == tmp_path / "lesionseg"


def test_the_rows_that_are_asked_for_are_read_and_no_others() -> None:
    kept: dict[int, Resized] = {}
    read_all(levels(0, 10, 20, 30, 40), [4, 1, 3], 32, kept.__setitem__)
    assert {row: resized.image.max() for row, resized in kept.items()} == {1: 10, 3: 30, 4: 40}
    assert kept[1].image.shape == (32, 32, 3)


def test_all_faults_are_told_at_once_with_what_to_do_and_the_others_are_kept() -> None:
    kept: dict[int, Resized] = {}
    with pytest.raises(InputError) as error:
        read_all(levels(-1, 1, 2, -1, 4, -1), range(6), 32, kept.__setitem__)
    message = str(error.value)
    assert "mend the files or take them out" in message
    assert all(f"sample {row} is spoilt" in message for row in (0, 3, 5))
    assert sorted(kept) == [1, 2, 4]


def test_a_fault_in_keeping_ends_the_reading_at_once() -> None:
    kept: list[int] = []
    keeping = threading.Lock()

    def full_after_three(row: int, _: Resized) -> None:
        with keeping:
            if len(kept) == 3:
                raise OSError("full")
            kept.append(row)

    with pytest.raises(OSError, match="full"):
        read_all(levels(*range(200)), range(200), 32, full_after_three)
    assert len(kept) == 3


def test_nothing_to_read_is_no_fault() -> None:
    read_all([], [], 32, lambda row, resized: pytest.fail("nothing was asked for"))
