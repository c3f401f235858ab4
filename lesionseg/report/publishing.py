"""All files of an evaluation, and its summary on the terminal."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate, Summary, stratum_names
from lesionseg.metrics.definitions import own_names, recorded_definitions, shown
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report.chart import as_svg, save
from lesionseg.report.figures import TITLES
from lesionseg.report.pages import html_page, interval_text, model_card
from lesionseg.report.table import Table, print_lines, print_tables, print_warning, short
from lesionseg.system.files import whole_folder, write_json, write_whole

AS_TABLE = "confusion_matrix"  # figure that the page shows as a table
COLUMNS = {
    "jaccard": "Jaccard",
    "dice": "Dice",
    "threshold_jaccard": "threshold Jaccard",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "hd95": "HD95 (% diag.)",
}
"""Headings by metric of a paper's table; all in %, as in the literature of skin lesions."""
NOTE = f"All in %. Each score is computed per image, then averaged over images. In brackets: {HOW}."


def publish(summary: Summary, images: Sequence[ImageScores], figures: Mapping[str, Figure], folder: Path) -> None:
    """Writes all files of an evaluation; none of them appears until all are written.

    Files: `report.html`, `summary.json`, `per_image.csv`, `figures/*.png` and `.pdf`, `table.md`, `table.tex` and
    `model_card.md`.
    """
    table = paper_table(summary)
    with whole_folder(folder) as draft:
        write_json(draft / "summary.json", asdict(summary))
        write_per_image(images, draft / "per_image.csv")
        write_whole(draft / "table.md", table.markdown())
        write_whole(draft / "table.tex", table.latex())
        write_whole(draft / "model_card.md", model_card(summary, images))
        (draft / "figures").mkdir()
        for stem, figure in figures.items():
            save(figure, draft / "figures" / f"{stem}.png", draft / "figures" / f"{stem}.pdf")
        svgs = {TITLES[stem]: as_svg(figure) for stem, figure in figures.items() if stem != AS_TABLE}
        write_whole(draft / "report.html", html_page(summary, images, svgs))


def write_per_image(images: Sequence[ImageScores], path: Path) -> None:
    """Writes a row for each image, sorted by id: counts, scores in full precision, traits and strata."""
    traits = list(dict.fromkeys(name for image in images for name in image.traits))
    strata = stratum_names(images)
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


def paper_table(summary: Summary) -> Table:
    """Returns the evaluation as one row of a paper's table: the usual metrics, then those of the configuration."""
    definitions = recorded_definitions(summary.definitions)
    columns = COLUMNS | {name: definitions[name].title for name in own_names(definitions)}
    values = [_in_percent(summary.metrics[name], 1 if definitions[name].unit else 100) for name in columns]
    row = [summary.name, str(summary.images), *values]
    return Table("", ["Method", "N", *columns.values()], [row], [NOTE])


def print_summary(summary: Summary, folder: Path) -> None:
    """Prints a row for each metric, warnings, and the files that were written to `folder`."""
    rows = []
    for name, definition in shown(recorded_definitions(summary.definitions)).items():
        estimate, pooled = summary.metrics[name], summary.pooled.get(name)
        value = "" if pooled is None else f"{pooled.value:.4f}"
        rows.append([definition.heading, f"{estimate.value:.4f}", interval_text(estimate), value])
    for name, number in (summary.other_metrics or {}).items():
        rows.append([name.replace("_", " "), f"{number:.4f}", "", ""])
    title = f"{summary.name}: {summary.images} images, each scored at its ground truth's own size"
    print_tables(Table(title, ["metric", "mean", "95 % interval", "pooled over pixels"], rows))
    print_alarms(summary.alarms, what="these masks")
    if summary.known_images:
        names = ", ".join(f"{pair.id} (like {pair.other})" for pair in summary.known_images)
        print_warning(
            f"{len(summary.known_images)} of {summary.images} images look like images that the model was trained on: "
            f"{names}. Their scores say nothing about new photographs; leave them out, and evaluate again."
        )
    data = ", ".join(short(folder / name) for name in ("summary.json", "per_image.csv"))
    report = short(folder / "report.html")
    print_lines({"lesions missed": str(summary.missed), "report": report, "as data": data})


def print_alarms(alarms: Sequence[str], *, what: str, advice: str = "") -> None:
    """Prints in red why masks are not usable and what to do; nothing without an alarm."""
    if alarms:
        print_warning(" ".join([f"NOT USABLE: {what}.", *alarms, advice]).strip())


def _in_percent(estimate: Estimate, factor: int) -> str:
    """Writes a score and its interval, if it has one, in %."""
    interval = f" [{', '.join(f'{factor * end:.1f}' for end in estimate.interval)}]" if estimate.interval else ""
    return f"{factor * estimate.value:.1f}{interval}"
