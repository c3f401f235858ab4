"""The doctor's findings as numbers and as tables for the terminal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lesionseg.data.check.diagnosis import Diagnosis
from lesionseg.data.check.examination import Examination, ImageFacts, MaskFacts
from lesionseg.data.check.kinds import KINDS, SEVERITIES
from lesionseg.data.source import PARTS

COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
MOST_IDS = 4
"""Named in a row of the table; the files name all."""


def part_rows(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """Describes each part that has images: plain values.

    Lesion sizes are shares of the picture, 0 to 1; None where no mask can be read.
    """
    rows = []
    for part in PARTS:
        members = [e for e in diagnosis.examinations if e.part == part]
        if members:
            rows.append({"part": part, "pairs": len(members), **_sizes(members), **_lesions(members)})
    return rows


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Prints a table of the parts and one of the findings, a row a kind."""
    console = Console()
    for line in diagnosis.layout:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    parts = Table(title="parts", title_justify="left", header_style="bold")
    for heading in ("part", "pairs", "smallest", "largest", "median lesion", "lesions, 5 % to 95 %"):
        parts.add_column(heading, justify="left" if heading == "part" else "right")
    for row in part_rows(diagnosis):
        lesions = ("-", "-") if row["median_lesion"] is None else _percentages(row)
        parts.add_row(row["part"], str(row["pairs"]), row["smallest"], row["largest"], *lesions)
    console.print(parts)
    if not diagnosis.findings:
        console.print("Nothing was found: these data can be trained on.", style="bold green")
        return
    console.print(_findings_table(diagnosis))
    counts = ", ".join(f"{diagnosis.count(severity)} {severity}s" for severity in SEVERITIES)
    verdict = "results would be wrong" if diagnosis.count("error") else "nothing that would make results wrong"
    console.print(f"{counts}: {verdict}.", style="bold")


def _findings_table(diagnosis: Diagnosis) -> Table:
    table = Table(title="findings", title_justify="left", header_style="bold", show_lines=True)
    table.add_column("", no_wrap=True)
    table.add_column("what", ratio=3)
    table.add_column("how many", justify="right", no_wrap=True)
    table.add_column("which", ratio=4, overflow="fold")
    table.add_column("what to do", ratio=3)
    for name, findings in diagnosis.by_kind().items():
        kind = KINDS[name]
        which = "; ".join(" = ".join(finding.ids) or finding.text for finding in findings[:MOST_IDS])
        more = f"; ... {len(findings) - MOST_IDS} more" if len(findings) > MOST_IDS else ""
        severity = f"[{COLOURS[kind.severity]}]{kind.severity}[/]"
        table.add_row(severity, kind.title, str(len(findings)), escape(which + more), kind.advice)
    return table


def _sizes(members: Sequence[Examination]) -> dict[str, str | None]:
    """Smallest and largest image by their number of pixels."""
    shapes = [e.image.file.shape for e in members if isinstance(e.image, ImageFacts)]
    ordered = sorted(shapes, key=lambda shape: shape[0] * shape[1])
    if not ordered:
        return {"smallest": None, "largest": None}
    smallest, largest = (f"{width} x {height}" for height, width in (ordered[0], ordered[-1]))
    return {"smallest": smallest, "largest": largest}


def _lesions(members: Sequence[Examination]) -> dict[str, float | None]:
    shares = [e.mask.share for e in members if isinstance(e.mask, MaskFacts)]
    if not shares:
        return {"median_lesion": None, "small_lesions": None, "large_lesions": None}
    small, median, large = (round(float(value), 6) for value in np.quantile(shares, [0.05, 0.5, 0.95]))
    return {"median_lesion": median, "small_lesions": small, "large_lesions": large}


def _percentages(row: dict[str, Any]) -> tuple[str, str]:
    return f"{row['median_lesion']:.1%}", f"{row['small_lesions']:.1%} to {row['large_lesions']:.1%}"
