"""What a run's record says when the run is refused, and when it fails."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import lesionseg.training.run
from lesionseg.errors import InputError
from lesionseg.system.run_folder import RunRecord, read_record, write_record
from lesionseg.training.run import run

FINISHED = RunRecord(
    state="finished", overrides=["seed=3"], started="2026-01-01", ended="2026-01-02", results={"val/dice": 0.9}
)


class Refused:
    """An experiment with a setting that cannot be."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise InputError("no")


class Failing:
    """An experiment that meets a file it cannot read when it has trained for a while."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def run(self) -> dict[str, float]:
        raise InputError("no")


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs an experiment in a folder whose run was to have 3 epochs, and returns the record that it leaves."""
    cfg = OmegaConf.create({"run_dir": str(tmp_path), "resume": "auto", "trainer": {"max_epochs": 3}})

    def of(experiment: type, **trainer: Any) -> RunRecord | None:
        changed: DictConfig = OmegaConf.merge(cfg, {"trainer": trainer})  # type: ignore[assignment]
        monkeypatch.setattr(lesionseg.training.run, "Experiment", experiment)
        (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
        with pytest.raises(InputError, match="no"):
            run(changed, [])
        return read_record(tmp_path)

    return of


@pytest.mark.parametrize("before", [FINISHED, RunRecord(state="interrupted", overrides=[], started="a", reason="b")])
def test_a_resumed_run_that_is_refused_stays_what_it_was(tmp_path: Path, attempt: Any, before: RunRecord) -> None:
    write_record(tmp_path, before)
    assert attempt(Refused, max_epochs=2) == before


@pytest.mark.parametrize(("before", "experiment"), [(None, Refused), (FINISHED, Failing)])
def test_a_run_that_fails_says_so(tmp_path: Path, attempt: Any, before: RunRecord | None, experiment: type) -> None:
    if before is not None:
        write_record(tmp_path, before)
    record = attempt(experiment, max_epochs=4)
    assert (record.state, record.reason) == ("failed", "no")


@pytest.mark.parametrize("longer", [{"max_epochs": 4}, {"max_steps": 9}, {"max_time": "00:01:00:00"}])
def test_a_finished_run_that_is_given_another_length_is_run_again(tmp_path: Path, attempt: Any, longer: Any) -> None:
    write_record(tmp_path, FINISHED)
    attempt(Failing, **longer)
