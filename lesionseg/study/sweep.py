"""What a sweep's folder says of its jobs, best first."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from lesionseg.errors import InputError
from lesionseg.metrics.delivered import delivered_name
from lesionseg.system.run_folder import RECORD, read_record

Mode = Literal["min", "max"]
STATES = ("finished", "pruned", "interrupted", "running", "failed", "damaged", "missing")
"""From best to worst: those of `run.json`, and two for a `run.json` that is damaged or not there."""
REMOVED = "(removed)"
"""The value of what `~key` has taken out."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        name: Name of its folder, usually its number.
        state: One of `STATES`.
        overrides: What its command line set, value by key.
        results: Numbers by name, `val/dice` and the like; empty where it has none.
        reason: In one line, why it has not finished.
        started: In UTC, as ISO 8601 has it.
        ended: Likewise; None where it has not.
    """

    name: str
    state: str
    overrides: dict[str, str] = field(default_factory=dict)
    results: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    started: str | None = None
    ended: str | None = None

    @property
    def has_ended_well(self) -> bool:
        """Whether it has finished or was pruned; of a job that is neither, the sweep has less than it was to have."""
        return self.state in ("finished", "pruned")

    @property
    def seconds(self) -> int | None:
        """From start to end, with the pause of a job that was gone on with; None where either is unknown."""
        try:
            ended, started = datetime.fromisoformat(self.ended or ""), datetime.fromisoformat(self.started or "")
            return round((ended - started).total_seconds())
        except (ValueError, TypeError):  # TypeError: one has a time zone and the other has none
            return None


@dataclass(frozen=True)
class Sweep:
    """All jobs of a sweep.

    Attributes:
        folder: Folder of the sweep.
        monitor: Name of the value that the jobs monitor.
        mode: Whether it is better when larger (`max`) or smaller (`min`).
        jobs: In their own order.
    """

    folder: Path
    monitor: str
    mode: Mode
    jobs: Sequence[Job]

    @cached_property
    def ranking(self) -> list[Job]:
        """The jobs by state, see `STATES`, then the best first, then in their own order."""
        return sorted(self.jobs, key=self._place)

    @cached_property
    def parameters(self) -> list[str]:
        """Keys of the overrides that differ among the jobs; a job whose overrides are unknown does not count."""
        known = [job.overrides for job in self.jobs if job.overrides]
        keys = dict.fromkeys(key for overrides in known for key in overrides)
        return [key for key in keys if len({overrides.get(key) for overrides in known}) > 1]

    @cached_property
    def ranked_by(self) -> str:
        """Name of the value that the jobs are compared by: what is delivered, if every finished job has that.

        Else it is the monitored value: where no decision is fitted, where a mask has no such score, and in the folders
        of earlier sweeps.
        """
        finished, name = [job for job in self.jobs if job.state == "finished"], delivered_name(self.monitor)
        return name if finished and all(name in job.results for job in finished) else self.monitor

    @property
    def failed(self) -> list[Job]:
        """Jobs that have ended otherwise than well, or not at all."""
        return [job for job in self.jobs if not job.has_ended_well]

    def value(self, job: Job) -> float | None:
        """Returns the value that a job is compared by; of a job that has not finished, what it monitored.

        None where it has none or it is no finite number.
        """
        value = job.results.get(self.ranked_by, job.results.get(self.monitor))
        return value if value is not None and math.isfinite(value) else None

    def rank(self, job: Job) -> int | None:
        """Counts a finished job's place from 1; None for the others, which have not been trained to their end."""
        is_ranked = job.state == "finished" and self.value(job) is not None
        return self.ranking.index(job) + 1 if is_ranked else None

    def _place(self, job: Job) -> tuple[int, float]:
        value = self.value(job)
        return STATES.index(job.state), math.inf if value is None else -value if self.mode == "max" else value


def read_sweep(folder: Path) -> Sweep:
    """Reads all jobs of a sweep.

    A job whose `run.json` is missing or damaged is one of the sweep all the same, with that as its reason.

    Args:
        folder: With a folder for each job.

    Raises:
        InputError: There are no jobs, or none of them says what is monitored.
    """
    folders = sorted(_job_folders(folder), key=lambda path: (not path.name.isdigit(), len(path.name), path.name))
    if not folders:
        raise InputError(f"there is no job of a sweep in {folder.absolute()} (folders 0, 1, ... with a {RECORD})")
    monitor, mode = _monitored(folders)
    return Sweep(folder, monitor, mode, [_job(path) for path in folders])


def _job_folders(folder: Path) -> Iterator[Path]:
    """Finds the jobs; `hydra.sweep.subdir` may have named them otherwise than by their numbers."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and (path.name.isdigit() or (path / RECORD).is_file()):
            yield path


def _job(folder: Path) -> Job:
    try:
        record = read_record(folder)
    except (InputError, OSError) as error:
        return Job(folder.name, "damaged", _overrides(_asked_for(folder)), reason=_in_one_line(str(error)))
    if record is None:
        reason = f"it has left no {RECORD}"
        return Job(folder.name, "missing", _overrides(_asked_for(folder)), reason=reason)
    return Job(
        folder.name,
        record.state,
        _overrides(record.overrides),
        results=record.results,
        reason=_in_one_line(record.reason) if record.reason else None,
        started=record.started,
        ended=record.ended,
    )


def _overrides(words: Sequence[str]) -> dict[str, str]:
    """Takes `key=value`, `+key=value`, `++key=value` and `~key` apart."""
    pairs = (word.partition("=") for word in words)
    return {key.lstrip("+~"): REMOVED if key.startswith("~") else value for key, _, value in pairs if key.lstrip("+~")}


def _asked_for(folder: Path) -> list[str]:
    """Reads the overrides that Hydra notes before a job starts."""
    words = _read_yaml(folder / "hydra" / "overrides.yaml")
    return [str(word) for word in words] if isinstance(words, list) else []


def _monitored(folders: Sequence[Path]) -> tuple[str, Mode]:
    """Reads what is monitored from the first job that says so; one that failed at once has Hydra's notes alone."""
    for name in ("config.yaml", "hydra/config.yaml"):
        for folder in folders:
            config = _read_yaml(folder / name)
            if isinstance(config, Mapping) and "monitor" in config:
                return str(config["monitor"]), "min" if config.get("monitor_mode") == "min" else "max"
    raise InputError(f"no job in {folders[0].parent.absolute()} has a config.yaml that says what is monitored")


def _read_yaml(path: Path) -> Any:
    """Reads a file; None where it is missing or damaged."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
