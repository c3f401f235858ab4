"""Where a Linux container's or batch job's limits are written: its control groups."""

from collections.abc import Sequence
from pathlib import Path

HIERARCHIES = ("", "unified")
"""Where version 2 is mounted below /sys/fs/cgroup: at the top, or beside version 1."""


def cgroup_folders(controller: str, root: Path = Path("/")) -> Sequence[Path]:
    """Lists the folders whose files limit this process: its own control group's and those of all groups around it.

    A container often sees its group at the top although it is told the path that its host knows; folders that are not
    there are left out. See cgroups(7).

    Args:
        controller: What is limited: `cpu` or `memory`.
        root: The file system's root, another one in tests.

    Returns:
        Each once; nothing where there are no control groups.
    """
    mounts = [root / "sys/fs/cgroup" / name for name in (*HIERARCHIES, controller)]
    paths = _own_paths(controller, root)
    folders = [mount / Path(*around) for mount in mounts for path in paths for around in _with_parents(path)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def read_number(path: Path) -> int | None:
    """Reads a file's one number; None where there is no such file, or `max` for no limit stands in it."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _own_paths(controller: str, root: Path) -> list[str]:
    """Reads this process's paths, for example `/user.slice`: version 2 names no controllers, version 1 does."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    entries = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return [path for _, controllers, path in entries if controller in controllers.split(",") or not controllers]


def _with_parents(path: str) -> list[tuple[str, ...]]:
    parts = [part for part in path.split("/") if part]
    return [tuple(parts[:length]) for length in range(len(parts), -1, -1)]
