"""Pictures of a sweep: the effect of each parameter, and the settings of good jobs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from lesionseg.report.chart import BLUE, DOTS_PER_INCH, ORANGE, QUIET, ROUNDING, keep_apart, literal, style
from lesionseg.study.sweep import Job, Sweep, shortened
from lesionseg.system.files import whole_file

EFFECTS, PARALLEL = "sweep.png", "parallel.png"
MOST_COLUMNS = 4
LONGEST_VALUE, LONGEST_NAME = 16, 26
"""Characters of a value, and of a line of a parameter's name."""
ABSENT = "-"
"""Value of a parameter that a job does not set."""
LOG_SPAN = 30.0
"""An axis is logarithmic if its largest number is more than so many times the smallest."""
MOST_TICKS = 6
"""Largest number of different numbers that are each named on an axis and have a median of their own."""
SMALLEST_GAP = 0.1
"""Share of the axis that lies between numbers that are named beside each other."""
GROUPS = 4
"""Number of groups of jobs whose medians are drawn for more different numbers."""


@dataclass(frozen=True)
class Scale:
    """Position of a parameter's values on an axis.

    Attributes:
        kind: `words` if any value is no finite number.
        values: Each different value in its order on the axis.
    """

    kind: Literal["linear", "log", "words"]
    values: Sequence[str]

    def place(self, value: str) -> float:
        """Returns the number, its decimal logarithm, or the index of the word."""
        if self.kind == "words":
            return float(self.values.index(value))
        return math.log10(float(value)) if self.kind == "log" else float(value)

    @property
    def places(self) -> list[float]:
        """Rising positions of all values."""
        return [self.place(value) for value in self.values]

    @property
    def names_each(self) -> bool:
        """Whether each value is named on the axis; otherwise, round numbers are."""
        if self.kind == "words":
            return True
        gaps = [after - before for before, after in pairwise(self.places)]
        span = self.places[-1] - self.places[0]
        return len(self.places) <= MOST_TICKS and min(gaps, default=1.0) >= SMALLEST_GAP * span

    def ticks(self) -> list[tuple[float, str]]:
        """Returns the positions that are named on the axis, and their names."""
        if self.names_each:
            return list(zip(self.places, map(_short, self.values), strict=True))
        low, high = self.places[0], self.places[-1]
        if self.kind == "linear":
            places = [float(tick) for tick in MaxNLocator(4).tick_values(low, high)]
        else:
            decades = range(math.floor(low), math.ceil(high) + 1, math.ceil((high - low) / MOST_TICKS))
            digits = (1, 3) if high - low < 3 else (1,)
            places = [decade + math.log10(digit) for decade in decades for digit in digits]
        return [(place, self.number(place)) for place in places if low <= place <= high]

    def number(self, place: float) -> str:
        """Writes the number at a position."""
        return f"{10**place if self.kind == 'log' else place:.4g}"


def scale_of(values: Sequence[str]) -> Scale:
    """Chooses the scale for a parameter's values, which may be in any order and repeated."""
    different = sorted(set(values))
    numbers = [number for number in map(_finite, different) if number is not None]
    if len(numbers) < len(different):
        return Scale("words", different)
    is_wide = min(numbers) > 0 and max(numbers) / min(numbers) > LOG_SPAN
    return Scale("log" if is_wide else "linear", sorted(different, key=float))


def medians(places: Sequence[float], heights: Sequence[float]) -> list[tuple[float, float]]:
    """Returns the median height at each place; for many places, the medians of both in `GROUPS` groups of neighbours.

    Args:
        places: Positions along the axis, in any order.
        heights: Height of each.
    """
    points = sorted(zip(places, heights, strict=True))
    if len(set(places)) <= MOST_TICKS:
        return [(place, median(high for at, high in points if at == place)) for place in sorted(set(places))]
    bounds = [round(len(points) * share / GROUPS) for share in range(GROUPS + 1)]
    groups = [points[first:last] for first, last in pairwise(bounds)]
    return [(median(at for at, _ in group), median(high for _, high in group)) for group in groups]


@dataclass(frozen=True)
class _Parameter:
    """A parameter that differs among the jobs, with each job's position on its scale."""

    name: str
    scale: Scale
    places: Sequence[float]


def write_pictures(sweep: Sweep) -> list[str]:
    """Writes the pictures into the sweep's folder and returns their names.

    Without a parameter that differs and a job with a value, there are none, and earlier pictures are removed.

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


def draw_effects(sweep: Sweep) -> Figure | None:
    """Draws a panel for each parameter: each job's value and the medians; returns None if there is nothing to draw."""
    jobs, values, parameters = _drawn(sweep)
    if not parameters:
        return None
    rows = math.ceil(len(parameters) / MOST_COLUMNS)
    columns = math.ceil(len(parameters) / rows)
    figure = Figure(figsize=(max(3.0 * columns, 4.2) + 0.6, 2.9 * rows + 0.6), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for axes, parameter in zip(panels, parameters, strict=False):
        _draw_effect(axes, parameter, jobs, values, sweep)
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
    """Draws each job as a line over its parameters to its value; the best lines are the darkest.

    Returns:
        The figure; None if there is nothing to draw.
    """
    jobs, values, parameters = _drawn(sweep)
    if not parameters:
        return None
    colours = _colours(values, sweep)
    figure = Figure(figsize=(2.2 + 1.6 * len(parameters), 4.2), layout="constrained")
    axes = figure.subplots()
    low, high = colours.get_clim()
    columns = [_stretched(parameter.places) for parameter in parameters]
    for index in reversed(range(len(jobs))):  # the best last, on top
        share = (values[index] - low) / (high - low)
        across, up = _curve([*(column[index] for column in columns), share])
        width = 3.0 if index == 0 else 1.6
        axes.plot(across, up, color=colours.cmap(share), alpha=0.9, clip_on=False, linewidth=width)
    _draw_rulers(axes, parameters)
    bar = figure.colorbar(colours, ax=axes, pad=0.0, aspect=28)
    bar.set_label(literal(sweep.ranked_by))
    _note_missing(figure, sweep, len(jobs))
    return figure


def _drawn(sweep: Sweep) -> tuple[list[Job], list[float], list[_Parameter]]:
    """Returns the jobs that have a value, the best first, with their values and the parameters that differ."""
    found = [(job, value) for job in sweep.ranking if (value := sweep.value(job)) is not None]
    parameters = []
    for name in sweep.parameters if found else ():
        texts = [job.overrides.get(name, ABSENT) for job, _ in found]
        scale = scale_of(texts)
        parameters.append(_Parameter(name, scale, [scale.place(text) for text in texts]))
    return [job for job, _ in found], [value for _, value in found], parameters


def _draw_effect(axes: Axes, parameter: _Parameter, jobs: Sequence[Job], values: Sequence[float], sweep: Sweep) -> None:
    places = parameter.places
    _draw_medians(axes, parameter, values)
    for is_pruned, colour in ((False, BLUE), (True, ORANGE)):
        chosen = [index for index, job in enumerate(jobs) if (job.state == "pruned") == is_pruned]
        if chosen:
            label = "pruned" if is_pruned else "finished"
            if is_pruned and sweep.ranked_by != sweep.monitor:
                label += f" ({literal(sweep.monitor)})"
            across, up = [places[index] for index in chosen], [values[index] for index in chosen]
            axes.scatter(across, up, s=26, color=colour, alpha=0.75, label=label, linewidths=0)
    axes.scatter(places[:1], values[:1], s=110, facecolors="none", edgecolors="black", label="best")
    _mark_axis(axes, parameter.scale)
    style(axes, _broken(parameter.name))


def _draw_medians(axes: Axes, parameter: _Parameter, values: Sequence[float]) -> None:
    """Draws a line through the medians of numbers, and a dash for each word."""
    places, heights = zip(*medians(parameter.places, values), strict=True)
    (line,) = axes.plot(places, heights, color=QUIET, marker=".", label="median", zorder=1)
    if parameter.scale.kind == "words":
        line.set(linestyle="none", marker="_", markersize=22)


def _mark_axis(axes: Axes, scale: Scale) -> None:
    places, names = zip(*scale.ticks(), strict=True) if scale.ticks() else ((), ())
    if scale.names_each:
        is_long = sum(map(len, names)) > 24
        rotation, alignment = (30, "right") if is_long else (0, "center")
        axes.set_xticks(places, names, rotation=rotation, ha=alignment, fontsize=8)
    else:
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: scale.number(place)))
        axes.tick_params(axis="x", labelsize=8)
    low, high = min(scale.places), max(scale.places)
    margin = 0.5 if scale.kind == "words" else 0.08 * (high - low or 1.0)
    axes.set_xlim(low - margin, high + margin)


def _draw_rulers(axes: Axes, parameters: Sequence[_Parameter]) -> None:
    """Draws a vertical line for each parameter, with its values beside it and its name above."""
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    for column, parameter in enumerate(parameters):
        axes.axvline(column, color="0.3", linewidth=1, zorder=3)
        places, ticks = parameter.scale.places, parameter.scale.ticks()
        heights = _stretched([places[0], *(place for place, _ in ticks), places[-1]])[1:-1]
        for height, (_, name) in zip(heights, ticks, strict=True):
            axes.text(column - 0.04, height, name, ha="right", va="center", fontsize=8, zorder=4, bbox=box)
    axes.set_xlim(-0.02, len(parameters))
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(parameters)), [_broken(parameter.name) for parameter in parameters], fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=8)
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines[:].set_visible(False)


def _stretched(places: Sequence[float]) -> list[float]:
    """Maps places to the range from 0 to 1; equal places become 0.5."""
    low, high = min(places), max(places)
    return [(place - low) / (high - low) if high > low else 0.5 for place in places]


def _curve(heights: Sequence[float]) -> tuple[list[float], list[float]]:
    """Returns a line through heights at 0, 1, ... that is level at each, so that the eye can follow crossing lines."""
    across = np.linspace(0, 1, 24)
    eased = across**2 * (3 - 2 * across)
    horizontal, vertical = [], []
    for column, (start, end) in enumerate(pairwise(heights)):
        horizontal += (column + across).tolist()
        vertical += (start + (end - start) * eased).tolist()
    return horizontal, vertical


def _colours(values: Sequence[float], sweep: Sweep) -> ScalarMappable:
    """Maps the best value to the dark end of the palette, and the worst to pale yellow."""
    low, high = min(values), max(values)
    if high - low < ROUNDING:
        low, high = low - 0.01, high + 0.01
    return ScalarMappable(Normalize(low, high), colormaps["viridis_r" if sweep.mode == "max" else "viridis"])


def _note_missing(figure: Figure, sweep: Sweep, drawn: int) -> None:
    if drawn < len(sweep.jobs):
        figure.supxlabel(f"{len(sweep.jobs) - drawn} of {len(sweep.jobs)} jobs have no value", fontsize=8, color="0.3")


def _short(value: str) -> str:
    return literal(_cut(shortened(value), LONGEST_VALUE))


def _broken(name: str) -> str:
    """Breaks a long name after its dots, and cuts lines that are still too long."""
    lines = [""]
    for part in name.replace(".", ".\n").split("\n"):
        if len(lines[-1]) + len(part) <= LONGEST_NAME:
            lines[-1] += part
        else:
            lines.append(part)
    return literal("\n".join(_cut(line, LONGEST_NAME) for line in lines if line))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _finite(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
