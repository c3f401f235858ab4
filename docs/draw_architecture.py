"""Draws docs/architecture.svg, the rooms of the package and their imports: `python docs/draw_architecture.py`.

An import that follows from others is not drawn: where study imports training and training imports report, an arrow from
study to report says nothing new. All imports are listed in the picture's description, which a test compares.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from test_layout import PACKAGE, room_imports  # noqa: E402

PICTURE = ROOT / "docs" / "architecture.svg"
COLUMN, ROW, WIDTH, HEIGHT = 236, 92, 204, 54
"""Pixels from one box to the next, and a box's size."""
LEFT, TOP = 130, 52
"""Pixels of the centre of a box in column 0 and row 0."""


class Room(NamedTuple):
    """A box of the picture."""

    column: float
    row: int
    colour: str
    words: str


GREY, BLUE, GREEN, ORANGE, VIOLET, DARK = "#eceff1", "#dbeafe", "#dcfce7", "#ffedd5", "#ede9fe", "#1f2937"
ROOMS = {
    "verbs": Room(1.5, 0, DARK, "train, evaluate, predict, ..."),
    "study": Room(0.85, 1, VIOLET, "sweeps, folds, comparisons"),
    "benchmarking": Room(2.25, 1, VIOLET, "time and memory of each stage"),
    "training": Room(1.1, 2, VIOLET, "experiment, callbacks, loggers"),
    "prediction": Room(3, 2, VIOLET, "photographs in, masks out"),
    "loss": Room(0, 3, ORANGE, "what training minimises"),
    "exporting": Room(2.6, 3, VIOLET, "ONNX, OpenVINO, PyTorch"),
    "check": Room(1.5, 4, ORANGE, "mistakes, before any work"),
    "checkpoint": Room(2.6, 4, ORANGE, "weights, safely opened"),
    "report": Room(0, 5, GREEN, "tables, figures, pages"),
    "model": Room(1.1, 5, ORANGE, "networks and the segmenter"),
    "evaluation": Room(0, 6, GREEN, "scores, intervals, strata"),
    "postprocessing": Room(1.1, 6, ORANGE, "probability to mask"),
    "metrics": Room(0.85, 7, GREEN, "formulas of pixel counts"),
    "data": Room(2.25, 7, BLUE, "images, splits, augmentation"),
    "config": Room(1.5, 8, GREY, "from words to parts"),
    "system": Room(1.5, 9, GREY, "cores, devices, files, signals"),
}


def drawn(imports: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leaves out each import that a chain of other imports implies."""
    below: dict[str, set[str]] = {}
    for room, imported in imports:
        below.setdefault(room, set()).add(imported)

    def reached(room: str) -> set[str]:
        return below.get(room, set()).union(*map(reached, below.get(room, ())))

    return [
        (room, imported)
        for room, rooms in sorted(below.items())
        for imported in sorted(rooms)
        if not any(imported in reached(other) for other in rooms)
    ]


def svg(imports: list[tuple[str, str]]) -> str:
    """Draws the picture; a room that has no place in `ROOMS` is an error."""
    width = LEFT * 2 + COLUMN * max(room.column for room in ROOMS.values())
    height = TOP * 2 + ROW * max(room.row for room in ROOMS.values())
    described = "\n".join(f"{room} imports {imported}" for room, imported in imports)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" font-family="system-ui, sans-serif" text-anchor="middle">',
            f"<desc>\n{described}\n</desc>",
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0L8 4L0 8z" fill="#64748b"/></marker>',
            f'<rect width="{width:g}" height="{height:g}" rx="12" fill="#ffffff"/>',
            *(_arrow(ROOMS[room], ROOMS[imported]) for room, imported in drawn(imports)),
            *(_box(name, room) for name, room in ROOMS.items()),
            "</svg>\n",
        ]
    )


def _centre(room: Room) -> tuple[float, float]:
    return LEFT + COLUMN * room.column, TOP + ROW * room.row


def _arrow(start: Room, end: Room) -> str:
    """Draws a curve that leaves downwards and arrives downwards, towards the side that it comes from."""
    (x, y), (to_x, to_y) = _centre(start), _centre(end)
    shift = max(min((to_x - x) / 4, WIDTH / 3), -WIDTH / 3)
    x, y, to_x, to_y = x + shift, y + HEIGHT / 2, to_x - shift, to_y - HEIGHT / 2 - 1
    bend = (to_y - y) / 2
    path = f"M{x:g} {y:g}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y:g}"
    return f'<path d="{path}" fill="none" stroke="#64748b" stroke-width="1.5" marker-end="url(#head)"/>'


def _box(name: str, room: Room) -> str:
    x, y = _centre(room)
    ink, faint = ("#ffffff", "#cbd5e1") if room.colour == DARK else ("#0f172a", "#475569")
    return (
        f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="8" '
        f'fill="{room.colour}" stroke="#94a3b8"/>'
        f'<text x="{x:g}" y="{y - 4:g}" font-size="16" font-weight="600" fill="{ink}">{name}</text>'
        f'<text x="{x:g}" y="{y + 15:g}" font-size="12" fill="{faint}">{room.words}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(svg(room_imports(PACKAGE)), encoding="utf-8")
