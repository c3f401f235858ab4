"""Data, tables and chart of a benchmark."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionseg.benchmarking.timing import STAGES, Speed, paired_ratio
from lesionseg.report.chart import PALETTE, QUIET, literal, save, style
from lesionseg.report.table import Table, print_lines, print_tables
from lesionseg.system.files import whole_folder, write_json, write_whole
from lesionseg.system.machine import usable_cores, usable_memory

FORMAT = 1
"""Format of benchmark.json, to be raised if its layout changes."""
UNKNOWN = "-"
LOG_WIDTH = 140
"""Width of tables in files and pipes in characters."""
LONGEST_REASON = 90
"""Characters of the chart's reason for a missing measurement."""
TITLES = {
    "loader": "loader",
    "training": "training step",
    "inference": "inference",
    "folder": "a folder of photographs",
}
CAPTION = "images a second: median of the rounds, and where the middle half of them lies; pale: a limit"


@dataclass(frozen=True)
class SubjectFacts:
    """Costs of a network besides time.

    Attributes:
        name: Name in tables.
        words: Number format and memory layout.
        parameters: Number of weights.
        flops: Operations for one image, see `lesionseg.benchmarking.subject.flops_of`.
        peak_memory: Bytes of a training step; None if it was not measured.
        peak_memory_missing: Why it could not be measured.
    """

    name: str
    words: str
    parameters: int
    flops: int
    peak_memory: int | None = None
    peak_memory_missing: str | None = None


@dataclass(frozen=True)
class Report:
    """Results of a benchmark.

    Attributes:
        device: Device in words.
        environment: See `lesionseg.system.environment.environment`.
        limits: What the machine granted `before` and `after`, see `limits`.
        config: Resolved configuration.
        subjects: The network, and the peers that are compared with it.
        speeds: Measurements in the order of the tables.
    """

    device: str
    environment: Mapping[str, Any]
    limits: Mapping[str, Any]
    config: Mapping[str, Any]
    subjects: Sequence[SubjectFacts]
    speeds: Sequence[Speed]

    @property
    def first(self) -> str:
        """Name of the network that others are compared with."""
        return self.subjects[0].name

    def ratio(self, speed: Speed) -> float | None:
        """Returns a speed divided by the first network's in the same stage and way; None if either is missing."""
        wanted = (speed.row.stage, speed.row.way, self.first)
        references = [one.rates for one in self.speeds if (one.row.stage, one.row.way, one.row.subject) == wanted]
        return paired_ratio(speed.rates, references[0]) if speed.rates and references and references[0] else None


def limits() -> dict[str, Any]:
    """Returns what the machine grants this process and how busy it is.

    `load_average` is of the last 1, 5 and 15 minutes, or None if the system does not tell.
    """
    return {
        "usable_cores": usable_cores(),
        "torch_threads": torch.get_num_threads(),
        "usable_memory_bytes": usable_memory(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def write_report(report: Report, folder: Path) -> None:
    """Writes `benchmark.json`, `.md` and `.png`; none of them appears until all are written."""
    subjects, speeds = tables(report)
    with whole_folder(folder) as draft:
        write_json(draft / "benchmark.json", as_json(report))
        write_whole(draft / "benchmark.md", f"{subjects.markdown()}\n{speeds.markdown()}")
        save(draw_report(report), draft / "benchmark.png")


def print_report(report: Report, folder: Path) -> None:
    """Prints the tables, which name each stage once, and the folder of the files."""
    subjects, speeds = tables(report)
    stages = ["", *(row[0] for row in speeds.rows)]
    rows = [["" if row[0] == above else row[0], *row[1:]] for row, above in zip(speeds.rows, stages, strict=False)]
    print_tables(subjects, replace(speeds, rows=rows), log_width=LOG_WIDTH)
    print_lines({"tables, data and picture": str(folder)})


def as_json(report: Report) -> dict[str, Any]:
    """Returns the report as plain values in full precision, with the rate of every round."""
    return {
        "format": FORMAT,
        "device": report.device,
        **report.environment,
        "limits": report.limits,
        "subjects": [asdict(subject) for subject in report.subjects],
        "speeds": [_plain(speed, report) for speed in report.speeds],
        "config": report.config,
    }


def tables(report: Report) -> tuple[Table, Table]:
    """Returns the tables of the networks and of the speeds; the notes are below the second."""
    networks = ["network", "parameters", "GFLOPs an image", "training step's peak memory", "how"]
    speeds = ["stage", "what", "network", "images/s", "middle half", f"times {report.first}", "how"]
    return (
        Table("Networks", networks, [_subject_row(subject) for subject in report.subjects]),
        Table("Images a second", speeds, [_speed_row(speed, report) for speed in report.speeds], notes(report)),
    )


def notes(report: Report) -> list[str]:
    """Says on which machine and how it was measured."""
    config, before, after = report.config, report.limits["before"], report.limits["after"]
    size = config["image_size"]
    sentences = [
        f"{report.environment['date']}, {report.device}; {before['usable_cores']} usable cores, "
        f"{before['torch_threads']} PyTorch threads, load average {_load(before)} before and {_load(after)} after.",
        _versions(report),
        f"Images of {size} x {size} pixels. Median of {config['rounds']} rounds of about {config['seconds']:g} s each, "
        "in which everything takes its turn, and where the middle half of the rounds lies. "
        "A limit (=) is a part of the stage that nothing can do without.",
        "FLOPs: 2 for each multiplication with its addition, of convolutions and matrix products; MACs are half of it. "
        f"Peak memory: of training at batch {config['batch_size']}, in a process of its own: what it grows by once "
        "the libraries are loaded, or on a GPU what PyTorch allocated.",
    ]
    if before["load_average"] and before["load_average"][0] > before["usable_cores"] / 2:
        sentences.append("Other work was using the machine when this began: read the numbers with that in mind.")
    return sentences


def draw_report(report: Report) -> Figure:
    """Draws each median with the middle half of its rounds, a panel for each stage; limits are pale."""
    stages = [stage for stage in STAGES if any(speed.row.stage == stage for speed in report.speeds)]
    panels = [[speed for speed in report.speeds if speed.row.stage == stage] for stage in stages]
    counts = [len(speeds) + 0.9 for speeds in panels]
    figure = Figure(figsize=(10.0, 1.3 + 0.34 * sum(counts)), layout="constrained")
    axes = figure.subplots(len(stages), 1, squeeze=False, height_ratios=counts)[:, 0]
    for stage, speeds, panel in zip(stages, panels, axes, strict=True):
        _draw_panel(panel, speeds, report)
        panel.set_title(TITLES[stage], loc="left", fontsize=10, fontweight="bold")
    axes[-1].set_xlabel(CAPTION, fontsize=8)
    size = report.config["image_size"]
    figure.suptitle(f"{report.device}, {size} x {size} pixels, {report.environment['date'][:10]}", fontsize=9)
    return figure


def number(value: float) -> str:
    """Writes a speed with three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """Writes a ratio below 1 as a fraction, because 1/25.6 is easier to read than 0.0391."""
    return number(ratio) if ratio >= 0.995 else f"1/{number(1 / ratio)}"


def _plain(speed: Speed, report: Report) -> dict[str, Any]:
    spread = {"median": None, "lower_quartile": None, "upper_quartile": None}
    if speed.spread is not None:
        spread = asdict(speed.spread)
    found = {"rates": list(speed.rates), **spread, "ratio_to_first": report.ratio(speed), "missing": speed.missing}
    return asdict(speed.row) | {"unit": "images/s"} | found


def _subject_row(subject: SubjectFacts) -> list[str]:
    memory = UNKNOWN
    if subject.peak_memory is not None:
        memory = f"{subject.peak_memory / 1e6:,.0f} MB"
    elif subject.peak_memory_missing is not None:
        memory = f"{UNKNOWN} ({subject.peak_memory_missing})"
    return [subject.name, f"{subject.parameters:,}", f"{subject.flops / 1e9:.3g}", memory, subject.words]


def _speed_row(speed: Speed, report: Report) -> list[str]:
    row, spread, ratio = speed.row, speed.spread, report.ratio(speed)
    what = f"= {row.way}" if row.is_limit else row.way
    if spread is None:
        return [row.stage, what, row.subject, UNKNOWN, UNKNOWN, UNKNOWN, speed.missing or ""]
    half = f"{number(spread.lower_quartile)} to {number(spread.upper_quartile)}"
    return [
        *(row.stage, what, row.subject, number(spread.median), half),
        *(UNKNOWN if ratio is None else times(ratio), row.detail),
    ]


def _versions(report: Report) -> str:
    code, libraries = report.environment["code"], report.environment["libraries"]
    commit = f", commit {code['git_commit'][:12]}" if code["git_commit"] else ""
    changed = " with changes" if code["git_dirty"] else ""
    return (
        f"lesionseg {code['version']}{commit}{changed}; Python {libraries['python']}, PyTorch {libraries['torch']}, "
        f"{report.environment['machine']['platform']}."
    )


def _load(limits: Mapping[str, Any]) -> str:
    average = limits["load_average"]
    return "not known" if average is None else f"{average[0]:.1f}"


def _draw_panel(axes: Axes, speeds: Sequence[Speed], report: Report) -> None:
    for place, speed in enumerate(speeds):
        _draw_bar(axes, place, speed, report)
    labels = [f"{one.row.subject}: {one.row.way}" if one.row.subject else one.row.way for one in speeds]
    axes.set_yticks(range(len(speeds)), list(map(literal, labels)), fontsize=8)
    axes.set_ylim(len(speeds) - 0.4, -0.6)
    largest = max((speed.spread.upper_quartile for speed in speeds if speed.spread), default=1.0)
    axes.set_xlim(0, largest * 1.32)  # room for the numbers beside the bars
    axes.tick_params(axis="x", labelsize=8)
    style(axes, grid="x")


def _draw_bar(axes: Axes, place: int, speed: Speed, report: Report) -> None:
    spread, name = speed.spread, speed.row.subject
    if spread is None:
        text = f" {speed.missing or ''}"[:LONGEST_REASON]
        axes.text(0, place, literal(text), va="center", fontsize=7.5, color="0.35", style="italic")
        return
    names = [subject.name for subject in report.subjects]
    colour = PALETTE[names.index(name) % len(PALETTE)] if name in names else QUIET
    axes.barh(place, spread.median, height=0.68, color=colour, alpha=0.4 if speed.row.is_limit else 1.0)
    axes.plot([spread.lower_quartile, spread.upper_quartile], [place] * 2, color="black", linewidth=1.2, marker="|")
    text, ratio = f"  {number(spread.median)}", report.ratio(speed)
    if ratio is not None and name != report.first:
        text += f"   ({times(ratio)} of {report.first})"
    axes.text(max(spread.median, spread.upper_quartile), place, literal(text), va="center", fontsize=8)
