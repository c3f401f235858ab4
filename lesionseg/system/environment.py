"""Code, libraries and machine that a result depends on beside its configuration."""

import importlib.metadata
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lesionseg
from lesionseg.system.machine import processor_name, usable_cores

LIBRARIES = ("torch", "lightning", "hydra-core", "omegaconf", "albumentations", "torchmetrics", "scikit-learn", "numpy")


def code_version() -> dict[str, Any]:
    """Returns the version of lesionseg and, in a checkout, the commit and whether files differ from it."""
    checkout = Path(lesionseg.__file__).parents[1]
    commit = _git(checkout, "rev-parse", "HEAD") if (checkout / ".git").exists() else None
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {"version": lesionseg.__version__, "git_commit": commit, "git_dirty": bool(changed) if commit else None}


def library_versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that results depend on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def versions_and_date() -> dict[str, str]:
    """Returns the date and the versions of the code and the libraries, in words."""
    code = code_version()
    commit = f", commit {code['git_commit'][:12]}" if code["git_commit"] else ""
    changed = " with changes" if code["git_dirty"] else ""
    return {
        "date": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        "lesionseg": f"{code['version']}{commit}{changed}",
        "libraries": ", ".join(f"{name} {version}" for name, version in library_versions().items()),
    }


def environment() -> dict[str, Any]:
    """Collects the contents of the run's `environment.json`, plain values only."""
    import torch  # takes seconds, which the other functions do without

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "code": code_version(),
        "libraries": library_versions(),
        "machine": {
            "platform": platform.platform(),
            "processor": processor_name(),
            "usable_cores": usable_cores(),
            "torch_threads": torch.get_num_threads(),
            "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        },
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Returns what git prints; None where there is no git or no repository."""
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
