"""A picture of a benchmark: bars of images a second, a panel for each stage."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionseg.benchmarking.report import Line, Report
from lesionseg.benchmarking.tables import number, times
from lesionseg.benchmarking.timing import STAGES
from lesionseg.report.chart import PALETTE, literal, style

NOBODY = "0.45"
"""Colour of what is no network's: the loader, and decoding."""
TITLES = {
    "loader": "loader",
    "training": "training step",
    "inference": "inference",
    "folder": "a folder of photographs",
}
CAPTION = "images a second: median of the rounds, and where the middle half of them lies; pale: a limit"
LONGEST_REASON = 90
"""Characters."""


def draw_report(report: Report) -> Figure:
    """Draws each measurement's median with the middle half of its rounds; limits are pale."""
    stages = [stage for stage in STAGES if any(line.speed.row.stage == stage for line in report.lines)]
    panels = [[line for line in report.lines if line.speed.row.stage == stage] for stage in stages]
    counts = [len(lines) + 0.9 for lines in panels]
    figure = Figure(figsize=(10.0, 1.3 + 0.34 * sum(counts)), layout="constrained")
    axes = figure.subplots(len(stages), 1, squeeze=False, height_ratios=counts)[:, 0]
    colours = {subject.name: PALETTE[place % len(PALETTE)] for place, subject in enumerate(report.subjects)}
    for stage, lines, panel in zip(stages, panels, axes, strict=True):
        _draw_panel(panel, lines, colours, report.first)
        panel.set_title(TITLES[stage], loc="left", fontsize=10, fontweight="bold")
    axes[-1].set_xlabel(CAPTION, fontsize=8)
    size = report.config["image_size"]
    figure.suptitle(f"{report.device}, {size} x {size} pixels, {report.environment['date'][:10]}", fontsize=9)
    return figure


def _draw_panel(axes: Axes, lines: Sequence[Line], colours: Mapping[str, str], first: str) -> None:
    for place, line in enumerate(lines):
        _draw_bar(axes, place, line, colours.get(line.speed.row.subject, NOBODY), first)
    axes.set_yticks(range(len(lines)), [_label(line) for line in lines], fontsize=8)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    largest = max((line.spread.upper_quartile for line in lines if line.spread), default=1.0)
    axes.set_xlim(0, largest * 1.32)  # room for the numbers beside the bars
    axes.tick_params(axis="x", labelsize=8)
    style(axes, grid="x")


def _draw_bar(axes: Axes, place: int, line: Line, colour: str, first: str) -> None:
    spread = line.spread
    if spread is None:
        text = f" {line.speed.missing or ''}"[:LONGEST_REASON]
        axes.text(0, place, literal(text), va="center", fontsize=7.5, color="0.35", style="italic")
        return
    axes.barh(place, spread.median, height=0.68, color=colour, alpha=0.4 if line.speed.row.is_limit else 1.0)
    axes.plot([spread.lower_quartile, spread.upper_quartile], [place] * 2, color="black", linewidth=1.2, marker="|")
    text = f"  {number(spread.median)}"
    if line.ratio is not None and line.speed.row.subject != first:
        text += f"   ({times(line.ratio)} of {first})"
    axes.text(max(spread.median, spread.upper_quartile), place, literal(text), va="center", fontsize=8)


def _label(line: Line) -> str:
    row = line.speed.row
    return literal(f"{row.subject}: {row.way}" if row.subject else row.way)
