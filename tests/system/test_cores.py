"""Cores are asked of the system, not guessed."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

import lesionseg.system.cores
from lesionseg.system.cores import _quota, usable_cores


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No control group limits the process, whatever those of the test's own machine say."""
    monkeypatch.setattr(lesionseg.system.cores, "_quota", lambda _: None)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no CPU affinity")
@pytest.mark.usefixtures("unlimited")
def test_only_cores_that_this_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 6})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores() == 3


@pytest.mark.parametrize(("count", "cores"), [(8, 8), (None, 1)])
@pytest.mark.usefixtures("unlimited")
def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch, count: int | None, cores: int) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert usable_cores() == cores


@pytest.mark.parametrize(
    ("quota", "cores"), [(None, 8), (2.0, 2), (2.9, 2), (0.5, 1), (64.0, 8)], ids=lambda value: f"{value}"
)
def test_a_share_of_time_counts_as_whole_cores_and_at_least_one(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, cores: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(lesionseg.system.cores, "_quota", lambda _: quota)
    assert usable_cores() == cores


def quota(root: Path, own: str, files: Mapping[str, str]) -> float | None:
    """Lays out a system's files and reads them."""
    for name, text in {
        "proc/self/cgroup": own,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return _quota(root)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"job/cpu.max": "250000 100000\n"}, 2.5),
        ({"job/cpu.max": "max 100000\n"}, None),
        ({"job/cpu.max": "max 100000\n", "cpu.max": "50000 50000\n"}, 1.0),
        ({"job/cpu.max": "400000 100000\n", "cpu.max": "200000 100000\n"}, 2.0),
        ({"job/cpu.max": "200000 100000\n", "cpu.max": "400000 100000\n"}, 2.0),
        ({"other/cpu.max": "100000 100000\n", "job/cpu.max": "max 100000\n"}, None),
        ({"job/cpu.max": "nonsense"}, None),
        ({"job/cpu.weight": "100\n"}, None),
    ],
)
def test_version_2_tells_microseconds_of_each_period(
    tmp_path: Path, files: Mapping[str, str], expected: float | None
) -> None:
    """Kernel's cgroup-v2.rst: `$MAX $PERIOD`; the smallest of the groups around holds."""
    assert quota(tmp_path, "0::/job\n", files) == expected


@pytest.mark.parametrize(("microseconds", "expected"), [("300000", 3.0), ("-1", None), ("0", None)])
def test_version_1_has_a_file_for_each_of_the_two(tmp_path: Path, microseconds: str, expected: float | None) -> None:
    """Kernel's sched-bwc.rst: a quota of -1 is none."""
    files = {"cpu/job/cpu.cfs_quota_us": f"{microseconds}\n", "cpu/job/cpu.cfs_period_us": "100000\n"}
    assert quota(tmp_path, "3:cpu,cpuacct:/job\n", files) == expected
