"""How many CPU cores this process has."""

import os
from pathlib import Path

from lesionseg.system.cgroup import cgroup_folders, read_number


def usable_cores() -> int:
    """Counts the CPU cores this process may use, which a container or a job scheduler may have limited.

    Of a container's share of time that is no whole number, the fraction is left unused: one thread more than there is
    time for makes all of them wait.
    """
    quota = _quota(Path("/"))
    return _allowed() if quota is None else max(1, min(_allowed(), int(quota)))


def _allowed() -> int:
    """Counts the cores that this process may be put on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(root: Path) -> float | None:
    """Finds the smallest share of CPU time, in cores, that a control group grants; None where none limits it."""
    quotas = [_quota_of(folder) for folder in cgroup_folders("cpu", root)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(folder: Path) -> float | None:
    """Reads one group's CPU time per period, in microseconds both, as version 2 or version 1 writes it."""
    try:
        quota, period = map(int, (folder / "cpu.max").read_text().split())
    except (OSError, ValueError):  # no such file, or `max 100000`
        read = read_number(folder / "cpu.cfs_quota_us"), read_number(folder / "cpu.cfs_period_us")
        quota, period = read[0] or 0, read[1] or 0
    return quota / period if quota > 0 and period > 0 else None  # version 1 says -1 for no limit
