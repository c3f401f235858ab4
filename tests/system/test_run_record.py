"""A run's record says how the run stands."""

from pathlib import Path

import pytest

from lesionseg.errors import InputError
from lesionseg.system.run_record import FILE, RunRecord, now, read_record, write_record


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = RunRecord("finished", ["seed=1"], started=now(), ended=now(), results={"val/dice": 0.9})
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_where_no_run_has_been_there_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "asleep", "overrides": [], "started": ""}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("state", "well"),
    [("finished", True), ("pruned", True), ("running", False), ("interrupted", False), ("failed", False)],
)
def test_only_what_has_ended_well_needs_no_more_work(state: str, well: bool) -> None:
    assert RunRecord(state, [], started="").has_ended_well == well  # type: ignore[arg-type]
