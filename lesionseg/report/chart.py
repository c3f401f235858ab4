"""Colours, axes, labels and files of every chart."""

import html
import io
import logging
import re
import textwrap
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, SKY_BLUE, YELLOW = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY_BLUE, YELLOW)
"""The palette of Okabe and Ito, which colour-blind readers can tell apart."""
DARK_GREEN = "#007a58"  # stands out from sky blue
QUIET = "0.45"  # grey of what stands behind the data: chance, limits, remarks
DOTS_PER_INCH = 150
ROUNDING = 1e-9  # scores that differ by less are equal; otherwise an axis would be labelled 1e-17
SPAN = 0.1  # length of an axis whose scores are all equal


def style(axes: Axes, x_label: str = "", y_label: str = "", *, grid: Literal["x", "y", "both"] = "both") -> None:
    """Labels the axes, draws a pale grid behind the data and leaves out the frame's upper and right side."""
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25, axis=grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def keep_apart(axes: Axes, direction: Literal["x", "y"], *, lowest: float | None = None) -> None:
    """Widens an axis along which nothing differs, not below `lowest`; to be called when everything is drawn."""
    low, high = axes.dataLim.intervalx if direction == "x" else axes.dataLim.intervaly
    if not 0 <= high - low < ROUNDING * max(1.0, abs(high)):  # without data, the ends are infinite
        return
    start = low - SPAN / 2 if lowest is None else max(low - SPAN / 2, lowest)
    (axes.set_xlim if direction == "x" else axes.set_ylim)(start, start + SPAN)


def literal(text: str) -> str:
    """Keeps matplotlib from reading mathematics between dollar signs."""
    return text.replace("$", r"\$")


def wrapped(text: str, width: int, *, lines: int | None = None) -> str:
    """Breaks a label into lines of `width` characters, at most `lines` of them, and makes it literal."""
    if lines is None:
        return literal(textwrap.fill(text, width))
    return literal(textwrap.fill(text, width, max_lines=lines, placeholder=" ..."))


def save(figure: Figure, *paths: Path) -> None:
    """Writes a figure to files in the formats of their suffixes, for example `.png` and `.pdf`.

    A PDF embeds its fonts as TrueType, because publishers refuse matplotlib's default, Type 3, and has no date, so that
    equal figures are equal files.
    """
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it logs a hundred lines for every font it embeds
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        for path in paths:
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)


def as_svg(figure: Figure) -> str:
    """Writes a figure for the inside of an HTML page, whose figures need different labels, read by screen readers.

    Text stays text, in the reader's own sans-serif font where DejaVu Sans is missing. DejaVu is wider than most, so
    what fits here overlaps nowhere.
    """
    label, file = str(figure.get_label()), io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label, "font.sans-serif": ["DejaVu Sans"]}):
        figure.savefig(file, format="svg", dpi=DOTS_PER_INCH)
    head, body = file.getvalue().partition("<svg")[2].split(">", 1)
    # As a style sheet, this would hold for the whole page.
    for unwanted in (r"\s*<metadata>.*?</metadata>", r"\s*<defs>\s*<style.*?</style>\s*</defs>"):
        body = re.sub(unwanted, "", body, flags=re.DOTALL)
    view_box = re.search(r'viewBox="[^"]*"', head)
    attributes = [
        *('xmlns="http://www.w3.org/2000/svg"', 'xmlns:xlink="http://www.w3.org/1999/xlink"'),
        *([view_box.group()] if view_box else []),
        f'role="img" aria-label="{html.escape(label)}" style="stroke-linejoin: round"',
    ]
    return f"<svg {' '.join(attributes)}>{_with_own_ids(body, label).rstrip()}"


def _with_own_ids(svg: str, label: str) -> str:
    """Drops ids without references and makes the others differ from those of the page's other figures."""
    prefix = re.sub(r"\W+", "-", label.lower())
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r'(url\(|href=")#([^)"]+)', rf"\1#{prefix}-\2", svg)
    return re.sub(r' id="([^"]+)"', lambda match: f' id="{prefix}-{match[1]}"' if match[1] in used else "", svg)
