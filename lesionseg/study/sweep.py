"""The jobs of a sweep, as read from its folder, and their leaderboard."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from lesionseg.errors import InputError
from lesionseg.metrics.delivered import EXPLANATION, delivered_name
from lesionseg.report.table import Table, markdown_text, print_tables
from lesionseg.system.files import write_whole
from lesionseg.system.run_folder import RECORD, read_record

Mode = Literal["min", "max"]
STATES = ("finished", "pruned", "interrupted", "running", "failed", "damaged", "missing")
"""From best to worst: the states of `run.json`, and two for a `run.json` that is damaged or missing."""
REMOVED = "(removed)"
"""Value of a key that `~key` has removed."""
CSV, MARKDOWN = "leaderboard.csv", "leaderboard.md"
TEST_SCORES = ("test/jaccard", "test/dice", "test/threshold_jaccard")
"""Test scores of the tables; the CSV has all scores."""
MOST_ROWS = 30
"""Largest number of jobs on the terminal."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        name: Name of its folder, usually its number.
        state: One of `STATES`.
        overrides: Value by key of its command line.
        results: Numbers by name, such as `val/dice`.
        reason: One line on why it has not finished.
        started: Time in UTC and ISO 8601.
        ended: Time in UTC and ISO 8601.
    """

    name: str
    state: str
    overrides: dict[str, str] = field(default_factory=dict)
    results: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    started: str | None = None
    ended: str | None = None

    @property
    def seconds(self) -> int | None:
        """Time from start to end, including the pause of a resumed job; None if either is unknown."""
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
        mode: Whether that value is better when larger (`max`) or smaller (`min`).
        jobs: Jobs in the order of their numbers.
    """

    folder: Path
    monitor: str
    mode: Mode
    jobs: Sequence[Job]

    @cached_property
    def ranking(self) -> list[Job]:
        """Jobs by state in the order of `STATES`, then the best first, then by number."""
        return sorted(self.jobs, key=self._place)

    @cached_property
    def parameters(self) -> list[str]:
        """Keys of the overrides that differ among the jobs whose overrides are known."""
        known = [job.overrides for job in self.jobs if job.overrides]
        keys = dict.fromkeys(key for overrides in known for key in overrides)
        return [key for key in keys if len({overrides.get(key) for overrides in known}) > 1]

    @cached_property
    def ranked_by(self) -> str:
        """Name of the compared value: the delivered score if every finished job has it, else the monitored value."""
        finished, name = [job for job in self.jobs if job.state == "finished"], delivered_name(self.monitor)
        return name if finished and all(name in job.results for job in finished) else self.monitor

    @property
    def failed(self) -> list[Job]:
        """Jobs that have neither finished nor been pruned."""
        return [job for job in self.jobs if job.state not in ("finished", "pruned")]

    def value(self, job: Job) -> float | None:
        """Returns the compared value, or the monitored one of an unfinished job; None if it is no finite number."""
        value = job.results.get(self.ranked_by, job.results.get(self.monitor))
        return value if value is not None and math.isfinite(value) else None

    def rank(self, job: Job) -> int | None:
        """Returns the rank of a finished job from 1; None for others."""
        is_ranked = job.state == "finished" and self.value(job) is not None
        return self.ranking.index(job) + 1 if is_ranked else None

    def _place(self, job: Job) -> tuple[int, float]:
        value = self.value(job)
        return STATES.index(job.state), math.inf if value is None else -value if self.mode == "max" else value


def read_sweep(folder: Path) -> Sweep:
    """Reads all jobs of a sweep; a missing or damaged `run.json` is the reason of its job.

    Raises:
        InputError: There are no jobs, or none of them says what is monitored.
    """
    folders = sorted(_job_folders(folder), key=lambda path: (not path.name.isdigit(), len(path.name), path.name))
    if not folders:
        raise InputError(f"there is no job of a sweep in {folder.absolute()} (folders 0, 1, ... with a {RECORD})")
    monitor, mode = _monitored(folders)
    return Sweep(folder, monitor, mode, [_read_job(path) for path in folders])


def write_leaderboard(sweep: Sweep) -> None:
    """Writes `leaderboard.csv` and `leaderboard.md` into the sweep's folder, replacing earlier ones.

    Raises:
        OSError: The disk is full, read-only or gone.
    """
    write_whole(sweep.folder / CSV, csv_text(sweep))
    write_whole(sweep.folder / MARKDOWN, markdown(sweep))


def print_leaderboard(sweep: Sweep) -> None:
    """Prints the best jobs, and why others have not finished."""
    print_tables(leaderboard(sweep, sweep.ranking[:MOST_ROWS]))
    reasons = _unfinished(sweep)
    left_out = [(len(sweep.jobs) - MOST_ROWS, "more"), (len(reasons) - MOST_ROWS, "more that have not finished")]
    rows, lines = ([f"... and {count} {noun}, see {MARKDOWN}"] if count > 0 else [] for count, noun in left_out)
    for line in [*rows, *reasons[:MOST_ROWS], *lines]:
        print(line, flush=True)


def csv_text(sweep: Sweep) -> str:
    """Writes a row for each job in full precision; unknown values stay empty.

    The times are the last three columns (`started`, `ended`, `seconds`): all others are the same whenever the same
    jobs are run.
    """
    compared = _compared(sweep)
    names = {name for job in sweep.jobs for name in job.results} - set(compared)
    results = [*compared, *sorted(names, key=lambda name: (not name.startswith("test/"), name))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    times = ["started", "ended", "seconds"]
    writer.writerow(["rank", "job", "state", *sweep.parameters, *results, "reason", *times])
    for job in sweep.ranking:
        parameters = [job.overrides.get(name) for name in sweep.parameters]
        numbers = [job.results.get(name) for name in results]
        end = [job.reason, job.started, job.ended, job.seconds]
        writer.writerow([sweep.rank(job), job.name, job.state, *parameters, *numbers, *end])
    return text.getvalue()


def markdown(sweep: Sweep) -> str:
    """Writes the leaderboard, and why jobs have not finished."""
    text, reasons = leaderboard(sweep, sweep.ranking).markdown(), _unfinished(sweep)
    if not reasons:
        return text
    count = f"{len(reasons)} of {_counted(sweep.jobs)} have not finished:"
    return "\n".join([text, count, "", *(f"- {markdown_text(reason)}" for reason in reasons), ""])


def leaderboard(sweep: Sweep, jobs: Sequence[Job]) -> Table:
    """Returns a table of rounded numbers; `-` stands for unknown values."""
    compared = _compared(sweep)
    tests = [name for name in TEST_SCORES if name not in compared and any(name in job.results for job in sweep.jobs)]
    scores = [*compared, *tests]
    order = "highest" if sweep.mode == "max" else "lowest"
    return Table(
        f"{_counted(sweep.jobs)} by {sweep.ranked_by}, {order} first",
        ["rank", "job", "state", *sweep.parameters, *scores, "minutes"],
        [_row(job, sweep, scores) for job in jobs],
        [EXPLANATION] if sweep.ranked_by != sweep.monitor else [],
    )


def shortened(value: str) -> str:
    """Rounds a number that a sampler has drawn, `0.00037454011884736254`, to four digits; keeps any other text."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:.4g}" if len(value) > len("0.00025") and math.isfinite(number) else value


def _row(job: Job, sweep: Sweep, scores: Sequence[str]) -> list[str]:
    rank = sweep.rank(job)
    parameters = [shortened(job.overrides.get(name, "-")) for name in sweep.parameters]
    numbers = [f"{job.results[name]:.4f}" if name in job.results else "-" for name in scores]
    minutes = "-" if job.seconds is None else f"{job.seconds / 60:.1f}"
    return ["-" if rank is None else str(rank), job.name, job.state, *parameters, *numbers, minutes]


def _compared(sweep: Sweep) -> list[str]:
    """Returns the names of the compared value and of the monitored one if it is another."""
    return list(dict.fromkeys([sweep.ranked_by, sweep.monitor]))


def _unfinished(sweep: Sweep) -> list[str]:
    """Says in a line for each job that has not finished why, in the order of the leaderboard."""
    return [
        f"job {job.name} ({job.state})" + (f": {job.reason}" if job.reason else "")
        for job in sweep.ranking
        if job.state != "finished"
    ]


def _counted(jobs: Sequence[Job]) -> str:
    return "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"


def _job_folders(folder: Path) -> Iterator[Path]:
    """Finds the jobs; with `hydra.sweep.subdir`, their folders may have other names than their numbers."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and (path.name.isdigit() or (path / RECORD).is_file()):
            yield path


def _read_job(folder: Path) -> Job:
    try:
        record = read_record(folder)
    except (InputError, OSError) as error:
        return Job(folder.name, "damaged", _noted_overrides(folder), reason=_in_one_line(str(error)))
    if record is None:
        return Job(folder.name, "missing", _noted_overrides(folder), reason=f"it has left no {RECORD}")
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
    """Splits `key=value`, `+key=value`, `++key=value` and `~key`."""
    pairs = (word.partition("=") for word in words)
    return {key.lstrip("+~"): REMOVED if key.startswith("~") else value for key, _, value in pairs if key.lstrip("+~")}


def _noted_overrides(folder: Path) -> dict[str, str]:
    """Reads the overrides that Hydra notes before a job starts."""
    words = _read_yaml(folder / "hydra" / "overrides.yaml")
    return _overrides(list(map(str, words))) if isinstance(words, list) else {}


def _monitored(folders: Sequence[Path]) -> tuple[str, Mode]:
    """Reads what is monitored from the first job that says so; a job that failed at once has only Hydra's notes."""
    for name in ("config.yaml", "hydra/config.yaml"):
        for folder in folders:
            config = _read_yaml(folder / name)
            if isinstance(config, Mapping) and "monitor" in config:
                return str(config["monitor"]), "min" if config.get("monitor_mode") == "min" else "max"
    raise InputError(f"no job in {folders[0].parent.absolute()} has a config.yaml that says what is monitored")


def _read_yaml(path: Path) -> Any:
    """Reads a file; returns None if it is missing or damaged."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
