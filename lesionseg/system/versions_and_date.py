"""The facts that stand beside every result: when, and with what."""

from datetime import datetime

from lesionseg.system.environment import code_version, library_versions

PART_NAMES = {"train": "training", "validation": "validation", "test": "test", "all": "all"}


def versions_and_date() -> dict[str, str]:
    """Tells date and versions in words."""
    code = code_version()
    commit = f", commit {code['git_commit'][:12]}" if code["git_commit"] else ""
    changed = " with changes" if code["git_dirty"] else ""
    return {
        "date": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        "lesionseg": f"{code['version']}{commit}{changed}",
        "libraries": ", ".join(f"{name} {version}" for name, version in library_versions().items()),
    }
