"""Writing an evaluation down: report, tables, figures, model card."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from lesionseg.evaluation.summary import Summary
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report.figures import TITLES, as_svg, write_figures
from lesionseg.report.html_page import write_page
from lesionseg.report.model_card import write_model_card
from lesionseg.report.table_row import latex_row, markdown_row

AS_TABLE = "confusion_matrix"
"""The figure that the page has as a table."""


def publish(summary: Summary, images: Sequence[ImageScores], figures: Mapping[str, Figure], folder: Path) -> None:
    """Writes all files of an evaluation; nothing of it appears until everything is written.

    Files: `report.html`, `summary.json`, `per_image.csv`, `figures/*.png` and `.pdf`, `table.md`, `table.tex` and
    `model_card.md`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".evaluation.", dir=folder) as name:
        draft = Path(name)
        write_summary(summary, draft / "summary.json")
        write_per_image(images, draft / "per_image.csv")
        (draft / "table.md").write_text(markdown_row(summary), encoding="utf-8")
        (draft / "table.tex").write_text(latex_row(summary), encoding="utf-8")
        write_model_card(draft / "model_card.md", summary, images)
        write_figures(figures, draft / "figures")
        svgs = {TITLES[stem]: as_svg(figure) for stem, figure in figures.items() if stem != AS_TABLE}
        write_page(draft / "report.html", summary, images, svgs)
        _move_into(draft, folder)


def write_summary(summary: Summary, path: Path) -> None:
    """Writes the numbers of the whole evaluation as JSON, in full precision."""
    path.write_text(json.dumps(asdict(summary), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_per_image(images: Sequence[ImageScores], path: Path) -> None:
    """Writes a row for each image, sorted by id: counts, scores in full precision, traits and strata."""
    traits = list(dict.fromkeys(name for image in images for name in image.traits))
    strata = list(dict.fromkeys(name for image in images for name in image.strata))
    count_names = images[0].counts._fields
    headings = ["id", "height", "width", *count_names, *images[0].scores, "missed", "target_sha256"]
    headings += [f"trait:{name}" for name in traits] + [f"stratum:{name}" for name in strata]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        for image in sorted(images, key=lambda image: image.id):
            row = [image.id, image.height, image.width, *image.counts, *image.scores.values()]
            row += [int(image.missed), image.target_sha256]
            row += [image.traits.get(name) for name in traits] + [image.strata.get(name, "") for name in strata]
            writer.writerow(row)


def _move_into(draft: Path, folder: Path) -> None:
    """Moves each finished file to its place; an older evaluation's is replaced."""
    for path in sorted(draft.iterdir()):
        target = folder / path.name
        if path.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        os.replace(path, target)
