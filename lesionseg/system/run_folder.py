"""The folder of a run: its name, which no other run gets, and the lock on it while the run is going."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from lesionseg.errors import InputError
from lesionseg.system.process_rank import is_first_process
from lesionseg.system.slurm import job_number

LOCK = ".run.lock"
_made: dict[tuple[str, str], str] = {}
"""By what was asked for: Hydra and Lightning look at the setting several times, and mean the same folder."""


def register_resolvers() -> None:
    """Gives YAML files `${lesionseg.new_folder:PARENT,PREFIX,RESUME}`, see `new_folder`."""
    OmegaConf.register_new_resolver("lesionseg.new_folder", new_folder, use_cache=True, replace=True)


def new_folder(parent: str, prefix: str = "", resume: str | None = None) -> str:
    """Makes a folder for a run or a sweep, once in a process, and returns it as `<parent>/<prefix><date>_<time>`.

    A folder that is there already, made in the same microsecond or before the clock was set back, is never taken: the
    name then gets a number. With `resume=auto` in a SLURM job the name has the job's number in place of the time, so
    that a job that is requeued comes back to its folder.
    """
    if (parent, prefix) not in _made:
        job = job_number() if resume == "auto" else None
        _made[parent, prefix] = f"{parent}/{prefix}slurm_{job}" if job else _unused(f"{parent}/{prefix}")
    return _made[parent, prefix]


def _unused(stem: str) -> str:
    """Makes a folder with a name that nobody has, and returns it."""
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")  # the user's own time: it is for people
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
    """Keeps other processes from running in a folder; the first process of a training does so for all of them.

    A process that is killed leaves no lock behind.

    Raises:
        InputError: A run is going there.
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
            f"{folder}: a run is going on there; wait for its end, or give another folder (hydra.run.dir=...)"
        ) from None
    try:
        yield
    finally:
        lock.release()
