"""The CPU and the memory that this process may use, which a container or a batch job may limit."""

import logging
import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import joblib

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)

ASSUMED_MEMORY = 4 * 2**30
"""Bytes assumed where the system does not tell (Windows)."""
MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, usage and the row of memory.stat with the cached files within that usage, in cgroup versions 2 and 1."""
CGROUP_MOUNTS = ("", "unified", "memory")
"""Folders below /sys/fs/cgroup: version 2 alone, version 2 beside version 1, and version 1."""
SHARED_MEMORY = Path("/dev/shm")
"""Shared memory of Linux; Docker gives a container 64 MB."""
BATCHES_AHEAD = 2
"""Batches that each worker prepares, PyTorch's default."""
BATCHES_IN_USE = 2
"""Batches that have left a worker and are still in use."""


def usable_cores() -> int:
    """Counts the CPU cores that this process may use, at least 1.

    The CPU affinity (set by SLURM and taskset), a container's share of CPU time, rounded up, and the environment
    variable LOKY_MAX_CPU_COUNT limit them.
    """
    return int(joblib.cpu_count())


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item], title: str) -> list[Result]:
    """Does some work in threads on all cores, with a progress bar on a terminal; an error or Ctrl-C ends it at once."""
    from rich.progress import track  # imported here, as verbs that only count cores should start quickly

    with ThreadPoolExecutor(usable_cores()) as threads:
        results = threads.map(work, items)
        try:
            return list(track(results, title, len(items), transient=True, disable=not sys.stdout.isatty()))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def processor_name() -> str:
    """Names the CPU for people; empty where the system does not tell. Linux tells it only in /proc/cpuinfo."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def usable_memory(root: Path = Path("/")) -> int:
    """Returns how many bytes this process can take now without swapping or being killed.

    This is the smallest of what the machine has free and what each control group around the process (a container, a
    batch job) has left; see cgroups(7). Systems other than Linux only tell the size of the memory. Tests replace
    `root`, the root of the file system.
    """
    left = [_left(folder) for folder in _memory_groups(root)]
    found = [amount for amount in (_available(root), *left) if amount is not None]
    return min(found) if found else _physical()


def workers_that_fit(wanted: int, *, batch_bytes: int, processes: int) -> int:
    """Returns the number of workers whose batches fit into shared memory, and warns if it is less than `wanted`.

    A worker that finds no room for a batch is killed by the system, or loses the batch. The memory is shared by several
    training `processes`.
    """
    free = free_shared_memory()
    if free is None:
        return wanted
    batches = free // processes // max(batch_bytes, 1)
    fitting = min(wanted, max((batches - BATCHES_IN_USE) // BATCHES_AHEAD, 0))
    if fitting < wanted:
        log.warning(
            "Shared memory (%s) has %.1f MB left, and a batch takes %.1f MB: %d worker processes instead of %d. For "
            "more, enlarge it (docker run --shm-size=8g), or lower batch_size or image_size.",
            SHARED_MEMORY,
            free / 1e6,
            batch_bytes / 1e6,
            fitting,
            wanted,
        )
    return fitting


def free_shared_memory() -> int | None:
    """Returns how many bytes of shared memory are free; None where the system has no such folder."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None


def _memory_groups(root: Path) -> Sequence[Path]:
    """Lists the folders of this process's control group and of all groups around it.

    A container often sees its own group at the top although it is told the path that its host knows.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    entries = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    # Version 2 names no controllers, version 1 does.
    paths = [Path(path.lstrip("/")) for _, names, path in entries if not names or "memory" in names.split(",")]
    mounts = [root / "sys/fs/cgroup" / name for name in CGROUP_MOUNTS]
    folders = [mount / group for mount in mounts for path in paths for group in (path, *path.parents)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _left(folder: Path) -> int | None:
    """Subtracts what a control group uses from its limit; None where it has none.

    Pages of files that were read a while ago count as used, but are freed on demand; Kubernetes subtracts them too.
    """
    for limit_file, usage_file, cached in MEMORY_FILES:
        limit, usage = _number(folder / limit_file), _number(folder / usage_file)
        if limit is not None and usage is not None:
            return max(0, limit - usage + _table(folder / "memory.stat").get(cached, 0))
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file, or `max` for no limit
        return None


def _available(root: Path) -> int | None:
    """Reads how much the whole machine could give without swapping (Linux from 3.14)."""
    kibibytes = _table(root / "proc/meminfo").get("MemAvailable:")
    return None if kibibytes is None else 1024 * kibibytes


def _table(path: Path) -> Mapping[str, int]:
    """Reads lines of a name and a number; empty where there is no such file."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, others lack these names
        return ASSUMED_MEMORY
