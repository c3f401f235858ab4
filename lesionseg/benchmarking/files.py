"""Writing a benchmark down."""

import json
import os
import tempfile
from pathlib import Path

from lesionseg.benchmarking.chart import draw_report
from lesionseg.benchmarking.report import Report, as_json
from lesionseg.benchmarking.tables import notes, speed_table, subject_table
from lesionseg.report.markdown import markdown_cell, markdown_table
from lesionseg.study.comparison_tables import WordTable

DOTS_PER_INCH = 130


def write_report(report: Report, folder: Path) -> None:
    """Writes `benchmark.json`, `.md` and `.png`; none appears before all are written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".benchmark.", dir=folder) as name:
        draft = Path(name)
        text = json.dumps(as_json(report), indent=2, ensure_ascii=False)
        (draft / "benchmark.json").write_text(text + "\n", encoding="utf-8")
        (draft / "benchmark.md").write_text(markdown(report), encoding="utf-8")
        draw_report(report).savefig(draft / "benchmark.png", dpi=DOTS_PER_INCH)
        for path in sorted(draft.iterdir()):
            os.replace(path, folder / path.name)


def markdown(report: Report) -> str:
    """Returns both tables and how they were measured."""
    parts = [_table(subject_table(report)), _table(speed_table(report))]
    return "\n".join([*parts, "\n\n".join(map(markdown_cell, notes(report))) + "\n"])


def _table(words: WordTable) -> str:
    return markdown_table(words.title, words.headings, words.rows)
