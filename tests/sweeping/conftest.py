"""Folders as sweeps leave them, without a training."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lesionseg.run_record import RunRecord, write_record
from lesionseg.sweeping.sweep import Sweep, read_sweep

MakeJob = Callable[..., Path]
MakeSweep = Callable[..., Sweep]
START = "2030-01-01T10:00:00+00:00"


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Writes a job's folder: `make_job(0, ["seed=1"], {"val/dice": 0.9})`; returns it."""

    def make(
        name: int | str,
        overrides: Sequence[str] = (),
        results: Mapping[str, float] | None = None,
        *,
        mode: str = "max",
        **record: Any,
    ) -> Path:
        folder = tmp_path / str(name)
        (folder / "hydra").mkdir(parents=True)
        (folder / "hydra" / "overrides.yaml").write_text("\n".join(f"- {word}" for word in overrides))
        (folder / "hydra" / "config.yaml").write_text(f"monitor: val/dice\nmonitor_mode: {mode}\n")
        usual: dict[str, Any] = {"state": "finished", "started": START, "ended": "2030-01-01T10:01:30+00:00"}
        write_record(folder, RunRecord(**(usual | record), overrides=list(overrides), results=dict(results or {})))
        return folder

    return make


@pytest.fixture
def make_sweep(make_job: MakeJob, tmp_path: Path) -> MakeSweep:
    """Writes a job for each dictionary of settings and value (None: it failed), and reads the sweep."""

    def make(settings: Sequence[Mapping[str, object]], values: Sequence[float | None], *, mode: str = "max") -> Sweep:
        for number, (setting, value) in enumerate(zip(settings, values, strict=True)):
            words = [f"{key}={text}" for key, text in setting.items()]
            if value is None:
                make_job(number, words, mode=mode, state="failed", reason="no luck")
            else:
                make_job(number, words, {"val/dice": value}, mode=mode)
        return read_sweep(tmp_path)

    return make
