"""A benchmark on the terminal and in its files."""

from dataclasses import replace
from pathlib import Path

from lesionseg.benchmarking.chart import draw_report
from lesionseg.benchmarking.report import Report, as_json
from lesionseg.benchmarking.tables import notes, speed_table, subject_table
from lesionseg.report.chart import save
from lesionseg.report.table import Table
from lesionseg.report.terminal import print_lines, print_tables
from lesionseg.system.files import whole_folder, write_json, write_whole

LOG_WIDTH = 140
"""Width of files and pipes in characters."""


def write_report(report: Report, folder: Path) -> None:
    """Writes `benchmark.json`, `.md` and `.png`; none appears before all are written."""
    with whole_folder(folder) as draft:
        write_json(draft / "benchmark.json", as_json(report))
        write_whole(draft / "benchmark.md", markdown(report))
        save(draw_report(report), draft / "benchmark.png")


def markdown(report: Report) -> str:
    """Returns both tables and how they were measured."""
    return "\n".join(table.markdown() for table in _tables(report))


def print_report(report: Report, folder: Path) -> None:
    """Prints both tables, how to read them, and the folder of the files."""
    subjects, speeds = _tables(report)
    print_tables(subjects, replace(speeds, rows=_with_each_stage_once(speeds)), log_width=LOG_WIDTH)
    print_lines({"tables, data and picture": str(folder)})


def _tables(report: Report) -> tuple[Table, Table]:
    return subject_table(report), replace(speed_table(report), notes=notes(report))


def _with_each_stage_once(table: Table) -> list[list[str]]:
    """Leaves a stage out that the row above names."""
    stages = ["", *(row[0] for row in table.rows)]
    return [["" if row[0] == before else row[0], *row[1:]] for row, before in zip(table.rows, stages, strict=False)]
