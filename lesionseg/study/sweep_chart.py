"""Pictures of a sweep: what each parameter does, and which settings belong to good jobs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from lesionseg.report.chart import ROUNDING, keep_apart, literal
from lesionseg.study.leaderboard import shortened
from lesionseg.study.sweep import Job, Sweep
from lesionseg.study.sweep_scale import MOST_TICKS, Scale, medians, scale_of
from lesionseg.system.files import whole_file

EFFECTS, PARALLEL = "sweep.png", "parallel.png"
DOTS_PER_INCH = 130
FINISHED, PRUNED, MEDIAN = "#0072b2", "#d55e00", "0.45"
"""Okabe & Ito's palette, which colour-blind readers can tell apart; a grey for the line."""
MOST_COLUMNS = 4
LONGEST_WORD = 16
"""Characters of a value that are drawn."""
LONGEST_NAME = 26
"""Characters of a parameter's name in a line."""
ABSENT = "-"
"""The value of a parameter that a job does not set."""


def write_pictures(sweep: Sweep) -> list[str]:
    """Writes the pictures into the sweep's folder, in place of earlier ones, and returns their names.

    There are none where no parameter differs or no job has a monitored value; an earlier one is then removed.

    Raises:
        OSError: The disk is full, read-only or gone.
    """
    written = []
    for name, draw in ((EFFECTS, draw_effects), (PARALLEL, draw_parallel)):
        figure = draw(sweep)
        if figure is None:
            (sweep.folder / name).unlink(missing_ok=True)
            continue
        with whole_file(sweep.folder / name) as file:
            figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
        written.append(name)
    return written


@dataclass(frozen=True)
class _Parameter:
    """A parameter of the drawn jobs."""

    name: str
    values: list[str]
    scale: Scale

    @property
    def places(self) -> list[float]:
        return [self.scale.place(value) for value in self.values]


def draw_effects(sweep: Sweep) -> Figure | None:
    """Draws a panel for each parameter: its values against the monitored one, and the line of the medians.

    Returns:
        The figure; None where no parameter differs or no job has a value.
    """
    jobs, parameters = _drawn(sweep)
    if not parameters:
        return None
    rows = math.ceil(len(parameters) / MOST_COLUMNS)
    columns = math.ceil(len(parameters) / rows)
    figure = Figure(figsize=(max(3.0 * columns, 4.2) + 0.6, 2.9 * rows + 0.6), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for axes, parameter in zip(panels, parameters, strict=False):
        _draw_effect(axes, parameter, jobs, sweep)
    keep_apart(panels[0], "y")
    for axes in panels[len(parameters) :]:
        axes.remove()
    for axes in panels[: len(parameters) : columns]:
        axes.set_ylabel(literal(sweep.ranked_by))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=8)
    _note_missing(figure, sweep, len(jobs))
    return figure


def draw_parallel(sweep: Sweep) -> Figure | None:
    """Draws each job as a line over its parameters to its monitored value; the darkest lines are the best.

    Returns:
        The figure; None where no parameter differs or no job has a value.
    """
    jobs, parameters = _drawn(sweep)
    if not parameters:
        return None
    colours = _colours(sweep, jobs)
    figure = Figure(figsize=(2.2 + 1.6 * len(parameters), 4.2), layout="constrained")
    axes = figure.subplots()
    low, high = colours.get_clim()
    columns = [_spread(parameter.places) for parameter in parameters]
    for index in reversed(range(len(jobs))):  # the best last, on top
        share = (_known(sweep.value(jobs[index])) - low) / (high - low)
        across, up = _curve([*(column[index] for column in columns), share])
        axes.plot(across, up, color=colours.cmap(share), alpha=0.9, clip_on=False, linewidth=_width(index))
    _draw_rulers(axes, parameters)
    bar = figure.colorbar(colours, ax=axes, pad=0.0, aspect=28)
    bar.set_label(literal(sweep.ranked_by))
    _note_missing(figure, sweep, len(jobs))
    return figure


def _drawn(sweep: Sweep) -> tuple[list[Job], list[_Parameter]]:
    """Chooses the jobs that have a value, in the order of the leaderboard, and the parameters that differ."""
    jobs = [job for job in sweep.ranking if sweep.value(job) is not None]
    parameters = []
    for name in sweep.parameters if jobs else ():
        values = [job.overrides.get(name, ABSENT) for job in jobs]
        parameters.append(_Parameter(name, values, scale_of(values)))
    return jobs, parameters


def _draw_effect(axes: Axes, parameter: _Parameter, jobs: Sequence[Job], sweep: Sweep) -> None:
    places, values = parameter.places, [_known(sweep.value(job)) for job in jobs]
    _draw_medians(axes, parameter, values)
    for state, colour in (("finished", FINISHED), ("pruned", PRUNED)):
        chosen = [index for index, job in enumerate(jobs) if _looks(job) == state]
        if chosen:
            across, up = [places[index] for index in chosen], [values[index] for index in chosen]
            differs = state == "pruned" and sweep.ranked_by != sweep.monitor
            label = f"{state} ({literal(sweep.monitor)})" if differs else state
            axes.scatter(across, up, s=26, color=colour, alpha=0.75, label=label, linewidths=0)
    axes.scatter(places[:1], values[:1], s=110, facecolors="none", edgecolors="black", label="best")
    axes.set_xlabel(_broken(parameter.name))
    _mark_axis(axes, parameter.scale)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_medians(axes: Axes, parameter: _Parameter, values: Sequence[float]) -> None:
    """Draws a line through numbers, a dash for each word: between words there is nothing to go through."""
    places, heights = zip(*medians(parameter.places, values), strict=True)
    (line,) = axes.plot(places, heights, color=MEDIAN, marker=".", label="median", zorder=1)
    if parameter.scale.kind == "words":
        line.set(linestyle="none", marker="_", markersize=22)


def _mark_axis(axes: Axes, scale: Scale) -> None:
    """Names the values below the axis, which counts as `Scale.place` does."""
    if scale.names_each:
        long = sum(len(_word(value)) for value in scale.values) > 24
        axes.set_xticks(
            [scale.place(value) for value in scale.values],
            [_word(value) for value in scale.values],
            rotation=30 if long else 0,
            ha="right" if long else "center",
            fontsize=8,
        )
    else:
        axes.xaxis.set_major_locator(FixedLocator(_round_places(scale)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: _number(place, scale)))
        axes.tick_params(axis="x", labelsize=8)
    margin = 0.5 if scale.kind == "words" else 0.08 * (_span(scale) or 1.0)
    places = [scale.place(value) for value in scale.values]
    axes.set_xlim(min(places) - margin, max(places) + margin)


def _draw_rulers(axes: Axes, parameters: Sequence[_Parameter]) -> None:
    """Draws a vertical line for each parameter, with its values beside it and its name above."""
    for column, parameter in enumerate(parameters):
        axes.axvline(column, color="0.3", linewidth=1, zorder=3)
        for height, text in _marks(parameter.scale):
            axes.text(
                column - 0.04,
                height,
                text,
                ha="right",
                va="center",
                fontsize=8,
                zorder=4,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
            )
    axes.set_xlim(-0.02, len(parameters))
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(parameters)), [_broken(parameter.name) for parameter in parameters], fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=8)
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines[:].set_visible(False)


def _marks(scale: Scale) -> list[tuple[float, str]]:
    """Lists heights from 0 to 1 along a ruler, and what is written there."""
    places = [scale.place(value) for value in scale.values]
    if scale.names_each:
        return list(zip(_spread(places), map(_word, scale.values), strict=True))
    inner = _round_places(scale)
    heights = _spread([places[0], *inner, places[-1]])[1:-1]
    return [(height, _number(place, scale)) for height, place in zip(heights, inner, strict=True)]


def _round_places(scale: Scale) -> list[float]:
    """Lists places of round numbers between the smallest value and the largest, as the axis counts."""
    low, high = scale.place(scale.values[0]), scale.place(scale.values[-1])
    if scale.kind == "linear":
        ticks = [float(tick) for tick in MaxNLocator(4).tick_values(low, high)]
    else:
        decades = range(math.floor(low), math.ceil(high) + 1, math.ceil((high - low) / MOST_TICKS))
        digits = (1, 3) if high - low < 3 else (1,)
        ticks = [decade + math.log10(digit) for decade in decades for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _number(place: float, scale: Scale) -> str:
    return f"{10**place if scale.kind == 'log' else place:.4g}"


def _span(scale: Scale) -> float:
    return scale.place(scale.values[-1]) - scale.place(scale.values[0])


def _spread(places: Sequence[float]) -> list[float]:
    """Moves and stretches places so that they reach from 0 to 1; a single one lies in the middle."""
    low, high = min(places), max(places)
    return [(place - low) / (high - low) if high > low else 0.5 for place in places]


def _curve(heights: Sequence[float]) -> tuple[list[float], list[float]]:
    """Leads a line through heights at 0, 1, ..., level at each, so that the eye can follow it where lines cross."""
    across = np.linspace(0, 1, 24)
    eased = across**2 * (3 - 2 * across)
    horizontal, vertical = [], []
    for column, (start, end) in enumerate(pairwise(heights)):
        horizontal += [float(column + step) for step in across]
        vertical += [float(start + (end - start) * step) for step in eased]
    return horizontal, vertical


def _colours(sweep: Sweep, jobs: Sequence[Job]) -> ScalarMappable:
    """Colours values so that the best is dark and stands out on white; pale yellow is the worst."""
    palette: Colormap = colormaps["viridis_r" if sweep.mode == "max" else "viridis"]
    values = [_known(sweep.value(job)) for job in jobs]
    low, high = min(values), max(values)
    if high - low < ROUNDING:
        low, high = low - 0.01, high + 0.01
    return ScalarMappable(Normalize(low, high), palette)


def _width(place: int) -> float:
    """Of the line of the job in this place, in points."""
    return 3.0 if place == 0 else 1.6


def _looks(job: Job) -> str:
    return "pruned" if job.state == "pruned" else "finished"


def _known(value: float | None) -> float:
    """Takes the value of a job that was chosen because it has one."""
    return math.nan if value is None else value


def _note_missing(figure: Figure, sweep: Sweep, drawn: int) -> None:
    if drawn < len(sweep.jobs):
        figure.supxlabel(f"{len(sweep.jobs) - drawn} of {len(sweep.jobs)} jobs have no value", fontsize=8, color="0.3")


def _word(value: str) -> str:
    short = shortened(value)
    return literal(short if len(short) <= LONGEST_WORD else f"{short[: LONGEST_WORD - 1]}…")


def _broken(name: str) -> str:
    """Breaks a long name after its dots, and cuts what is too long even so."""
    lines = [""]
    for part in name.replace(".", ".\n").split("\n"):
        if len(lines[-1]) + len(part) <= LONGEST_NAME:
            lines[-1] += part
        else:
            lines.append(part)
    cut = [line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…" for line in lines if line]
    return literal("\n".join(cut))
