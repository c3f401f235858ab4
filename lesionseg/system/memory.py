"""How much memory this process can still take."""

import os
from collections.abc import Mapping
from pathlib import Path

from lesionseg.system.cgroup import cgroup_folders, read_number

ASSUMED = 4 * 2**30
"""Where the system tells nothing (Windows)."""
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, usage and, within memory.stat, what usage counts although it is free for the asking: version 2, version 1."""


def usable_memory() -> int:
    """Tells how many bytes this process can take now without swapping or being killed for it.

    That is the smallest of what the machine has free and what each control group around the process (a container, a
    batch job) has left. Other systems than Linux tell only how much memory the machine has.
    """
    return _usable(Path("/"))


def _usable(root: Path) -> int:
    left = [_left(folder) for folder in cgroup_folders("memory", root)]
    found = [amount for amount in (_available(root), *left) if amount is not None]
    return min(found) if found else _physical()


def _available(root: Path) -> int | None:
    """Reads what the whole machine could give without swapping (Linux from 3.14)."""
    kibibytes = _table(root / "proc/meminfo").get("MemAvailable:")
    return None if kibibytes is None else 1024 * kibibytes


def _left(folder: Path) -> int | None:
    """Subtracts what a control group uses from its limit; None where it has none.

    Pages of files that were read a while ago count as used, but go when memory is needed; Kubernetes reckons so too.
    """
    for limit_file, usage_file, cached in FILES:
        limit, usage = read_number(folder / limit_file), read_number(folder / usage_file)
        if limit is not None and usage is not None:
            return max(0, limit - usage + _table(folder / "memory.stat").get(cached, 0))
    return None


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
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, others not these names
        return ASSUMED
