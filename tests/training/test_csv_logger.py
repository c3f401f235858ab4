"""The CSV file: a row a log, and a resumed run goes on with it."""

import csv
from pathlib import Path

import pytest
import torch

from lesionseg.training.csv_logger import CsvLogger, read_rows


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def logged(path: Path, *entries: tuple[int, dict[str, float]]) -> CsvLogger:
    logger = CsvLogger(path=path)
    for step, metrics in entries:
        logger.log_metrics(metrics, step)
    return logger


ENTRIES = [(0, {"lr": 0.1, "epoch": 0}), (3, {"val/dice": 1 / 3, "epoch": 0}), (4, {"lr": 0.2, "epoch": 1})]


def test_every_number_is_there_to_the_last_digit(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", *ENTRIES)
    assert rows(tmp_path / "a.csv") == [
        {"epoch": "0", "lr": "0.1", "step": "0", "val/dice": ""},
        {"epoch": "0", "lr": "", "step": "3", "val/dice": "0.3333333333333333"},
        {"epoch": "1", "lr": "0.2", "step": "4", "val/dice": ""},
    ]


def test_tensors_are_numbers_too(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", (0, {"x": torch.tensor(0.5)}))  # type: ignore[dict-item]
    assert rows(tmp_path / "a.csv") == [{"step": "0", "x": "0.5"}]


def test_a_new_run_replaces_the_file_of_another(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", *ENTRIES)
    logged(tmp_path / "a.csv", ENTRIES[0])
    assert len(rows(tmp_path / "a.csv")) == 1


@pytest.mark.parametrize("cut", [0, 3])
def test_a_resumed_run_leaves_the_file_that_an_uninterrupted_one_does(tmp_path: Path, cut: int) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    logged(whole, *ENTRIES)
    logged(resumed, *ENTRIES)
    resumed.write_bytes(resumed.read_bytes()[: -cut or None])  # killed while it wrote the last line
    logger = CsvLogger(path=resumed)
    logger.keep_before(4)
    assert [row["step"] for row in rows(resumed)] == ["0", "3"]
    logger.log_metrics(ENTRIES[2][1], 4)
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_column_whose_rows_are_all_dropped_comes_back_with_them(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    logged(whole, *ENTRIES)
    logged(resumed, *ENTRIES)
    logger = CsvLogger(path=resumed)
    logger.keep_before(3)
    for step, metrics in ENTRIES[1:]:
        logger.log_metrics(metrics, step)
    assert resumed.read_bytes() == whole.read_bytes()


def test_resuming_before_anything_was_logged_starts_anew(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", *ENTRIES)
    logger = CsvLogger(path=tmp_path / "a.csv")
    logger.keep_before(0)
    logger.log_metrics({"x": 1.0}, 0)
    assert rows(tmp_path / "a.csv") == [{"step": "0", "x": "1.0"}]


def test_where_there_is_no_file_there_are_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "a.csv") == []
