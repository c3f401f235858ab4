"""What a run's folder says of the run: whether it is going, has ended, and how. Sweeps are made of these."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from lesionseg.errors import InputError
from lesionseg.system.atomic_files import write_json

FILE = "run.json"
State = Literal["running", "finished", "interrupted", "failed", "pruned"]


@dataclass(frozen=True)
class RunRecord:
    """A run as its `run.json` has it.

    Attributes:
        state: `running` is also what a run says that was killed; `interrupted` was stopped by a signal; `pruned` was
            given up by a sweep as hopeless.
        reason: In one line, why it ended otherwise than `finished`; else None.
        overrides: What the command line asked for, of this job alone where it is one of a sweep.
        started: When it was first started, in UTC, as ISO 8601 has it.
        ended: When it ended; None while it runs.
        results: Numbers of a finished run as `metrics.json` has them, `val/dice` and the like; of a pruned one those
            of its last epoch.
    """

    state: State
    overrides: list[str]
    started: str
    reason: str | None = None
    ended: str | None = None
    results: dict[str, float] = field(default_factory=dict)

    @property
    def has_ended_well(self) -> bool:
        """Whether there is nothing left to do for it."""
        return self.state in ("finished", "pruned")


def now() -> str:
    """Tells the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_record(folder: Path) -> RunRecord | None:
    """Reads a run folder's record; None where no run has been.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / FILE
    try:
        return TypeAdapter(RunRecord).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, ValidationError) as error:
        raise InputError(
            f"{path} is damaged ({str(error).splitlines()[0]}); remove it, and a resumed run goes on from its last "
            "checkpoint"
        ) from error


def write_record(folder: Path, record: RunRecord) -> None:
    """Writes a run folder's record, whole or not at all."""
    write_json(folder / FILE, asdict(record))
