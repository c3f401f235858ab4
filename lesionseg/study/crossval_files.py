"""Writing a cross-validation down."""

import csv
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from lesionseg.report.markdown import markdown_table
from lesionseg.study.comparison_tables import WordTable
from lesionseg.study.crossval_results import CrossvalResults, Scored
from lesionseg.study.scored_run import PER_IMAGE

DOTS_PER_INCH = 150
OUT_OF_FOLD = "out_of_fold.csv"


def write_results(
    results: CrossvalResults,
    out_of_fold: Sequence[Scored],
    figure: Figure,
    folder: Path,
    *,
    tables: Sequence[WordTable],
    notes: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    """Writes `crossval.json`, `.md`, `.png` and `out_of_fold.csv`; none appears before all are written.

    Args:
        results: The numbers.
        out_of_fold: Whose rows go into the table of images.
        figure: The picture.
        folder: Of the cross-validation.
        tables: The numbers in words.
        notes: How to read them.
        facts: What was done, plain values.
    """
    with tempfile.TemporaryDirectory(prefix=".crossval.", dir=folder) as name:
        draft = Path(name)
        contents = {"facts": facts, "notes": notes, **asdict(results)}
        text = json.dumps(contents, indent=2, ensure_ascii=False)
        (draft / "crossval.json").write_text(text + "\n", encoding="utf-8")
        (draft / "crossval.md").write_text(markdown(results.name, tables, notes), encoding="utf-8")
        write_images(out_of_fold, draft / OUT_OF_FOLD)
        figure.savefig(draft / "crossval.png", dpi=DOTS_PER_INCH)
        for path in sorted(draft.iterdir()):
            os.replace(path, folder / path.name)


def write_images(scored: Sequence[Scored], path: Path) -> None:
    """Writes a row for each image and training that was scored on it, in full precision.

    The scores are copied from the evaluations as they stand there; without folds, that column stays empty.
    """
    names = list(scored[0][1].metrics)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "fold", "seed", *names, "target_sha256"])
        for training, run in scored:
            seed = (run.config or {}).get("seed", training.seed)
            with (run.folder / PER_IMAGE).open(encoding="utf-8", newline="") as images:
                for row in csv.DictReader(images):
                    scores = [row[name] for name in names]
                    writer.writerow([row["id"], training.fold, seed, *scores, row["target_sha256"]])


def markdown(title: str, tables: Sequence[WordTable], notes: Sequence[str]) -> str:
    """Returns all tables, and how to read them."""
    parts = [f"# {title}\n", *(markdown_table(one.title, one.headings, one.rows) for one in tables)]
    return "\n".join(
        [*parts, "\n".join(f"- {note}" for note in notes), "", "![Scores of all images](crossval.png)", ""]
    )
