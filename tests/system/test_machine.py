"""Cores, memory and shared memory are those that this process may use."""

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import lesionseg.system.machine
from lesionseg.system.machine import ASSUMED_MEMORY, processor_name, usable_cores, usable_memory, workers_that_fit

MEMINFO = "MemTotal:       16000 kB\nMemFree:          100 kB\nMemAvailable:    8000 kB\nHugePages_Total:       0\n"
AVAILABLE = 8000 * 1024


def usable(root: Path, files: Mapping[str, str]) -> int:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return usable_memory(root)


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


@pytest.mark.parametrize(
    ("own", "group", "left"),
    [
        ("4:memory:/a\n0::/b\n", "unified/b", 3_000_000),
        ("0::/docker/3f2a\n", ".", 3_000_000),
        ("0::/job\n", "other", AVAILABLE),
        ("5:pids:/job\n", "job", AVAILABLE),
        ("garbage\n", "job", AVAILABLE),
        ("", "job", AVAILABLE),
    ],
    ids=["both versions", "a container that reads its host's path", "another group", "another", "odd", "empty"],
)
def test_only_groups_around_the_process_count(tmp_path: Path, own: str, group: str, left: int) -> None:
    group = f"sys/fs/cgroup/{group}/memory"
    files = {"proc/self/cgroup": own, f"{group}.max": "5000000", f"{group}.current": "2000000"}
    assert usable(tmp_path, {"proc/meminfo": MEMINFO, **files}) == left


def test_other_systems_tell_what_is_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__, raising=False)
    assert usable(tmp_path, {}) == 4_096_000


def test_windows_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert usable(tmp_path, {}) == ASSUMED_MEMORY


def test_this_machine_has_some() -> None:
    assert usable_memory() > 2**24
    assert usable_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no CPU affinity")
def test_only_cores_that_this_process_may_use_are_counted() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= usable_cores() <= len(before)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
    ],
)
def test_a_containers_share_of_time_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], cores: int
) -> None:
    """Kernel's cgroup-v2.rst and sched-bwc.rst: microseconds in each period."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def at_root(path: object) -> object:
        is_group = isinstance(path, str) and path.startswith("/sys/fs/cgroup/")
        return tmp_path / path.removeprefix("/sys/fs/cgroup/") if is_group else path  # type: ignore[attr-defined]

    exists, opened = os.path.exists, open
    monkeypatch.setattr(os.path, "exists", lambda path: exists(at_root(path)))
    monkeypatch.setattr("builtins.open", lambda path, *rest, **named: opened(at_root(path), *rest, **named))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert usable_cores() == cores


@pytest.mark.parametrize("there", [True, False])
def test_linux_tells_in_a_file_and_others_by_themselves(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    text = "processor\t: 0\nmodel name\t: Some CPU: 9\n\nprocessor\t: 1\nmodel name\t: Some CPU: 9\n"
    monkeypatch.setattr(Path, "exists", lambda _: there)
    monkeypatch.setattr(Path, "read_text", lambda _: text)
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert processor_name() == ("Some CPU: 9" if there else "arm")


MB = 10**6
IN_LITTLE = ["unshare", "--mount", "bash", "-c", 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"', "bash"]
"""Runs a command with 64 kB of shared memory."""
LOAD = """
import sys
from pathlib import Path
import numpy as np
import lesionseg.system.machine
from lesionseg.data.loader import LesionDataset
from lesionseg.data.loader import loader
from lesionseg.training.faults import end_workers, fault_of

class Drawn:
    samples = [type("Drawn", (), {"id": "a"})] * 8
    is_quick = False
    def __getitem__(self, row):
        return np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), None

if sys.argv[1] == "unnoticed":
    lesionseg.system.machine.free_shared_memory = lambda: None
data = LesionDataset(Drawn(), range(8), augment=None, full_size_masks=False)
try:
    print(len(list(loader(data, batch_size=8, num_workers=2, seed=0, shuffle=True))), "batch")
except RuntimeError as error:
    print(fault_of(error))
    end_workers()
"""
"""Loads a batch of 98 kB of images and 33 kB of masks."""


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Docker's 64 MB."""
    monkeypatch.setattr(lesionseg.system.machine, "free_shared_memory", lambda: 64 * MB)
    return monkeypatch


@pytest.mark.parametrize(
    ("batch", "processes", "workers"),
    [
        (1 * MB, 1, 8),  # 18 batches
        (4 * MB, 1, 7),  # 16 batches, of which two are in use
        (4 * MB, 2, 3),
        (30 * MB, 1, 0),
        (100 * MB, 1, 0),
    ],
)
def test_workers_are_as_many_as_their_batches_fit(
    free: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, batch: int, processes: int, workers: int
) -> None:
    with caplog.at_level(logging.WARNING):
        assert workers_that_fit(8, batch_bytes=batch, processes=processes) == workers
    assert ("--shm-size" in caplog.text) == (workers < 8)


def test_where_the_system_has_no_such_folder_nothing_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesionseg.system.machine, "SHARED_MEMORY", Path("/no/such/folder"))
    assert workers_that_fit(8, batch_bytes=100 * MB, processes=1) == 8


def can_be_little() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and subprocess.run([*IN_LITTLE, "true"]).returncode == 0


@pytest.mark.parametrize(("noticed", "words"), [("noticed", "1 batch"), ("unnoticed", "shared memory is full")])
def test_64_kilobytes_neither_lose_a_batch_nor_hang(noticed: str, words: str) -> None:
    if not can_be_little():
        pytest.skip("only root on Linux may mount a file system of its own")
    command = [*IN_LITTLE, sys.executable, "-c", LOAD, noticed]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert words in done.stdout, done.stderr
