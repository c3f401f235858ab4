"""Writing a comparison down."""

import csv
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from lesionseg.report.markdown import markdown_cell, markdown_table
from lesionseg.report.table import Table
from lesionseg.study.comparison import NOTE, Comparison
from lesionseg.study.comparison_chart import draw_comparison
from lesionseg.study.comparison_tables import WordTable, direction_note, few_images_note, leaderboard, pairwise

DOTS_PER_INCH = 150


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes `leaderboard.csv` and `comparison.md`, `.tex`, `.json`, `.png` and `.pdf`, all of them or none."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".comparison.", dir=folder) as name:
        draft = Path(name)
        write_csv(comparison, draft / "leaderboard.csv")
        (draft / "comparison.md").write_text(markdown(comparison), encoding="utf-8")
        (draft / "comparison.tex").write_text(latex(comparison), encoding="utf-8")
        contents = {"note": NOTE} | asdict(comparison)
        text = json.dumps(contents, indent=2, ensure_ascii=False)
        (draft / "comparison.json").write_text(text + "\n", encoding="utf-8")
        figure = draw_comparison(comparison)
        for ending in ("png", "pdf"):
            figure.savefig(draft / f"comparison.{ending}", dpi=DOTS_PER_INCH)
        for path in sorted(draft.iterdir()):
            os.replace(path, folder / path.name)


def write_csv(comparison: Comparison, path: Path) -> None:
    """Writes a row for each method in full precision; what is unknown stays empty."""
    headings = ["rank", "method", "runs", "seeds", "folds", "images"]
    for name in comparison.metrics:
        headings += [name, f"{name}_low", f"{name}_high", f"{name}_sd_over_seeds"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        for one in comparison.standings:
            row = [one.rank, one.label, len(one.folders), one.seeds, one.folds, comparison.images]
            scores = [one.scores[name] for name in comparison.metrics]
            numbers = [number for score in scores for number in asdict(score).values()]
            writer.writerow([*row, *numbers])


def markdown(comparison: Comparison) -> str:
    """Returns both tables, how to read them, and which folders each method is made of."""
    parts = [_markdown_table(leaderboard(comparison))]
    if comparison.pairs:
        parts.append(_markdown_table(pairwise(comparison)))
    parts.append("\n\n".join(filter(None, (direction_note(comparison), NOTE, few_images_note(comparison)))) + "\n")
    runs = [
        f"- {markdown_cell(one.label)}: {', '.join(f'`{folder}`' for folder in one.folders)}"
        for one in comparison.standings
    ]
    parts.append("\n".join(["Runs:", "", *runs, ""]))
    return "\n".join(parts)


def latex(comparison: Comparison) -> str:
    """Returns the rows of both tables, each for a `tabular` of its own, with a comment on how to read them."""
    words = [leaderboard(comparison), *([pairwise(comparison)] if comparison.pairs else [])]
    notes = [*filter(None, (direction_note(comparison), NOTE, few_images_note(comparison)))]
    return "\n".join(Table(one.title, one.headings, one.rows, notes).latex() for one in words)


def _markdown_table(words: WordTable) -> str:
    return markdown_table(words.title, words.headings, words.rows)
