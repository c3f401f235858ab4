"""The last words of an evaluation: its numbers with their intervals, and where everything is."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from lesionseg.evaluation.summary import Estimate, Summary
from lesionseg.metrics.definitions import recorded_definitions, shown


def print_summary(summary: Summary, folder: Path) -> None:
    """Prints a row for each metric, and the files that were written to `folder`."""
    table = Table(
        title=escape(f"{summary.name}: {summary.images} images, each scored at its ground truth's own size"),
        title_justify="left",
        header_style="bold",
    )
    table.add_column("metric")
    for heading in ("mean", "95 % interval", "pooled over pixels"):
        table.add_column(heading, justify="right")
    for name, definition in shown(recorded_definitions(summary.definitions)).items():
        estimate, pooled = summary.metrics[name], summary.pooled.get(name)
        value = "" if pooled is None else f"{pooled.value:.4f}"
        table.add_row(escape(definition.heading), f"{estimate.value:.4f}", interval_text(estimate), value)
    for name, number in (summary.other_metrics or {}).items():
        table.add_row(escape(name.replace("_", " ")), f"{number:.4f}", "", "")
    Console().print(table)
    print_alarms(summary.alarms, what="these masks")
    _print_known_images(summary)
    # Printed plainly: a path that is wrapped or coloured cannot be copied.
    print(f"lesions missed  {summary.missed}\nreport          {_short(folder / 'report.html')}", flush=True)
    print(f"as data         {_short(folder / 'summary.json')}, {_short(folder / 'per_image.csv')}", flush=True)


def _print_known_images(summary: Summary) -> None:
    """Prints in red which images the model knows from its training; nothing where there is none."""
    if summary.known_images:
        names = ", ".join(f"{pair.id} (like {pair.other})" for pair in summary.known_images)
        text = (
            f"{len(summary.known_images)} of {summary.images} images look like images that the model was trained on: "
            f"{names}. Their scores say nothing about new photographs; leave them out, and evaluate again."
        )
        Console().print(Panel(escape(text), style="bold red", title="warning"))


def print_alarms(alarms: Sequence[str], *, what: str, advice: str = "") -> None:
    """Prints in red why masks are not usable, and what to do; nothing where there is no alarm."""
    if alarms:
        text = escape(" ".join([f"NOT USABLE: {what}.", *alarms, advice]).strip())
        Console().print(Panel(text, style="bold red", title="warning"))


def interval_text(estimate: Estimate) -> str:
    """Writes the interval, or a dash where one image allows none."""
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"{estimate.low:.4f} to {estimate.high:.4f}"


def _short(path: Path) -> str:
    """The path as seen from here, where that is shorter."""
    absolute = str(path.absolute())
    return min(absolute, os.path.relpath(absolute), key=len)
