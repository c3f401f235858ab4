"""The folder of a run: its unique name, its lock while the run is going, and its record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError

from lesionseg.errors import InputError
from lesionseg.system.files import write_json
from lesionseg.system.processes import is_first_process, job_number

LOCK = ".run.lock"
RECORD = "run.json"
State = Literal["running", "finished", "interrupted", "failed", "pruned"]
_made: dict[tuple[str, str], str] = {}
"""Folders by parent and prefix: Hydra and Lightning read the setting several times and mean the same folder."""


def register_resolvers() -> None:
    """Registers `${lesionseg.new_folder:PARENT,PREFIX,RESUME}` for YAML files, see `new_folder`."""
    OmegaConf.register_new_resolver("lesionseg.new_folder", new_folder, use_cache=True, replace=True)


def new_folder(parent: str, prefix: str = "", resume: str | None = None) -> str:
    """Makes a folder for a run or a sweep, once per process, and returns it as `<parent>/<prefix><date>_<time>`.

    If the folder exists, made in the same microsecond or before the clock was set back, the name gets a number. With
    `resume=auto` in a SLURM job the name has the job's number instead of the time, so that a requeued job returns to
    its folder.
    """
    if (parent, prefix) not in _made:
        job = job_number() if resume == "auto" else None
        _made[parent, prefix] = f"{parent}/{prefix}slurm_{job}" if job else _new(f"{parent}/{prefix}")
    return _made[parent, prefix]


def _new(stem: str) -> str:
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")  # local time, for people
    for attempt in count(1):
        name = f"{stem}{time}" + (f"_{attempt}" if attempt > 1 else "")
        try:
            Path(name).mkdir(parents=True)
        except FileExistsError:
            continue
        return name
    raise RuntimeError("count() has no end")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a folder against other runs; the first process of a training does so for all of them.

    A process that is killed leaves no lock behind.

    Raises:
        InputError: A run is going on there.
    """
    if not is_first_process():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(
            f"{folder}: a run is going on there; wait for its end, or choose another folder (hydra.run.dir=...)"
        ) from None
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class RunRecord:
    """Contents of a run's `run.json`.

    Attributes:
        state: `running` also if the run was killed; `interrupted` by a signal; `pruned` by a sweep as hopeless.
        overrides: Overrides of the command line; those of one job in a sweep.
        started: Time of the first start, see `now`.
        reason: One line on why the run did not finish; None if it did.
        ended: Time of the end; None while the run is going.
        results: Numbers of `metrics.json`, such as `val/dice`; those of the last epoch if the run was pruned.
    """

    state: State
    overrides: list[str]
    started: str
    reason: str | None = None
    ended: str | None = None
    results: dict[str, float] = field(default_factory=dict)

    @property
    def has_ended_well(self) -> bool:
        """Whether nothing is left to do for the run."""
        return self.state in ("finished", "pruned")


def now() -> str:
    """Returns the time in UTC and ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_record(folder: Path) -> RunRecord | None:
    """Reads a run folder's record, None if there was no run; raises an `InputError` if the file is damaged."""
    path = folder / RECORD
    try:
        return TypeAdapter(RunRecord).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, ValidationError) as error:
        raise InputError(
            f"{path} is damaged ({str(error).splitlines()[0]}); remove it, and a resumed run continues from its "
            "last checkpoint"
        ) from error


def write_record(folder: Path, record: RunRecord) -> None:
    """Writes a run folder's record."""
    write_json(folder / RECORD, asdict(record))
