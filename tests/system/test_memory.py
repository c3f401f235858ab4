"""The memory left is the smallest of what the machine and each control group have left."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lesionseg.system.memory import ASSUMED, _usable, usable_memory

MEMINFO = "MemTotal:       16000 kB\nMemFree:          100 kB\nMemAvailable:    8000 kB\nHugePages_Total:       0\n"
AVAILABLE = 8000 * 1024


def usable(root: Path, files: Mapping[str, str]) -> int:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return _usable(root)


def test_without_limits_it_is_what_linux_calls_available(tmp_path: Path) -> None:
    """proc(5): an estimate of how much memory is available for new applications, without swapping."""
    assert usable(tmp_path, {"proc/meminfo": MEMINFO}) == AVAILABLE


@pytest.mark.parametrize(
    ("limit", "current", "stat", "left"),
    [
        ("5000000\n", "2000000\n", "", 3_000_000),
        ("5000000\n", "5000000\n", "anon 1\nactive_file 7\ninactive_file 1500000\nfile 9\n", 1_500_000),
        ("5000000\n", "5100000\n", "", 0),
        ("max\n", "2000000\n", "", AVAILABLE),
        ("900000000000\n", "1\n", "", AVAILABLE),
    ],
    ids=["limited", "full of files read before", "overdrawn", "no limit", "more than there is"],
)
def test_version_2_leaves_the_limit_less_what_is_used(
    tmp_path: Path, limit: str, current: str, stat: str, left: int
) -> None:
    group = "sys/fs/cgroup/job/memory"
    files = {f"{group}.max": limit, f"{group}.current": current, f"{group}.stat": stat}
    assert usable(tmp_path, {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/job\n", **files}) == left


def test_a_group_around_may_be_the_tighter_one(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/slice/job\n",
        "sys/fs/cgroup/slice/job/memory.max": "7000000",
        "sys/fs/cgroup/slice/job/memory.current": "1000000",
        "sys/fs/cgroup/slice/memory.max": "7500000",
        "sys/fs/cgroup/slice/memory.current": "5000000",
    }
    assert usable(tmp_path, files) == 2_500_000


@pytest.mark.parametrize(("limit", "left"), [("4000000", 1_200_000), ("9223372036854771712", AVAILABLE)])
def test_version_1_has_other_names(tmp_path: Path, limit: str, left: int) -> None:
    """Its word for no limit is the largest number of whole pages; `total_` counts the groups within, as usage does."""
    group = "sys/fs/cgroup/memory/job/memory"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "4:memory:/job\n",
        f"{group}.limit_in_bytes": limit,
        f"{group}.usage_in_bytes": "3000000",
        f"{group}.stat": "inactive_file 5\ntotal_inactive_file 200000\n",
    }
    assert usable(tmp_path, files) == left


def test_other_systems_tell_what_is_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__, raising=False)
    assert usable(tmp_path, {}) == 4_096_000


def test_windows_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert usable(tmp_path, {}) == ASSUMED


def test_this_machine_has_some() -> None:
    assert usable_memory() > 2**24
    assert usable_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
