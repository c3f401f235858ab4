"""Every logged number as a table, which a resumed run goes on with."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from lesionseg.system.files import whole_file

Row = dict[str, str]

# Where there is no network, nothing is to look for one: MLflow would ask its makers' server once a run, and Weights &
# Biases report its own errors. Both are free to be switched on again.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")


class CsvLogger(Logger):
    """Appends a row to a CSV file whenever numbers are logged: `step`, `epoch` and a column for each number, sorted.

    Lightning's own logger deletes the file of the run that is resumed. A row is in the file as soon as it is logged;
    only where a number comes for the first time is the file written anew, whole or not at all.

    Args:
        path: Path of the file; what an earlier run left there is replaced, unless `keep_before` is called.
    """

    def __init__(self, *, path: Path | str) -> None:
        super().__init__()
        self.path = Path(path)
        self._columns: list[str] | None = None
        """As they stand in the file; None as long as this run has written nothing."""

    @property
    def name(self) -> str:
        """Name of the logger, which Lightning asks for."""
        return "csv"

    @property
    def version(self) -> str:
        """There is one file a run, and so no version."""
        return ""

    def log_hyperparams(self, params: Any, *_: Any) -> None:
        """Leaves them to `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends a row; see `Logger.log_metrics`."""
        row = {**{name: str(float(value)) for name, value in metrics.items()}, "step": str(step)}
        if "epoch" in metrics:
            row["epoch"] = str(int(metrics["epoch"]))
        if self._columns is None or not row.keys() <= set(self._columns):
            earlier = [] if self._columns is None else read_rows(self.path)
            self._write([*earlier, row])
        else:
            self._append(row)

    @rank_zero_only
    def keep_before(self, step: int) -> None:
        """Goes on with the file that is there, from a step on.

        What a resumed run will log again is dropped, with a last line that was not written to its end.
        """
        kept = [row for row in read_rows(self.path) if row.get("step", "").isdigit() and int(row["step"]) < step]
        if kept:
            self._write(kept)

    def _append(self, row: Row) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns or []).writerow(row)

    def _write(self, rows: list[Row]) -> None:
        """Writes the whole file; columns that no row has a value for are left out."""
        self._columns = sorted({name for row in rows for name, value in row.items() if value})
        lines = [",".join(self._columns), *(",".join(row.get(name, "") for name in self._columns) for row in rows)]
        with whole_file(self.path) as file:
            file.write("".join(f"{line}\r\n" for line in lines).encode())


def read_rows(path: Path) -> list[Row]:
    """Reads the rows of a CSV file that are there in full; none where there is no file."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(whole.splitlines())
    return [row for row in rows if None not in row and None not in row.values()]
