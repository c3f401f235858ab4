"""How many CPU cores this process has."""

import os


def usable_cores() -> int:
    """Counts the CPU cores this process may run on, which a container or a job scheduler may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
