"""The rooms of the package, and imports between them that run in one direction only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lesionseg
from lesionseg.__main__ import VERBS

PACKAGE = Path(lesionseg.__file__).parent
ORDER = (
    {"errors"},
    {"system"},
    {"config"},
    {"data"},
    {"metrics"},
    {"postprocessing"},
    {"model"},
    {"loss"},
    {"check"},
    {"checkpoint"},
    {"evaluation"},
    {"report"},
    {"exporting"},
    {"prediction"},
    {"training"},
    {"study"},
    {"benchmarking"},
    {*VERBS, "__init__"},
    {"__main__"},
)
"""Rooms and root modules: each imports only from earlier lines; verbs do not import each other."""
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
MOST_ROOMS = 17
DRAWN = {"verbs", *RANK} - {*VERBS, "__init__", "__main__", "errors"}
PICTURE = Path(__file__).parents[1] / "docs" / "architecture.svg"


def imports(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yields the line and the room of each import from the package, local ones included."""
    inside = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = ("lesionseg", *inside)[: len(inside) + 2 - node.level]
            names = [".".join((*base, *filter(None, [node.module]), alias.name)) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            if root == "lesionseg" and rest:  # the package itself has nothing but its version
                yield node.lineno, rest.partition(".")[0]


def arrows_up(package: Path) -> list[str]:
    """Lists the imports that run up, or from one room to another on the same line of `ORDER`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for line, imported in imports(path, package):
            if imported != room and imported in RANK and RANK[imported] >= RANK[room]:
                found.append(f"{path.relative_to(package)}:{line} imports {imported}")
    return found


def room_imports(package: Path) -> list[tuple[str, str]]:
    """Lists each pair of rooms of which the first imports the second; all verbs are one room, errors is none."""
    pairs = set()
    for path in package.rglob("*.py"):
        importing = path.relative_to(package).parts[0].removesuffix(".py")
        for _, imported in imports(path, package):
            room, other = ("verbs" if name in VERBS else name for name in (importing, imported))
            if room != other and {room, other} <= DRAWN:
                pairs.add((room, other))
    return sorted(pairs)


def test_imports_run_down_only() -> None:
    assert arrows_up(PACKAGE) == []


def test_the_picture_shows_the_imports() -> None:
    described = PICTURE.read_text(encoding="utf-8").partition("<desc>")[2].partition("</desc>")[0]
    expected = [f"{room} imports {imported}" for room, imported in room_imports(PACKAGE)]
    assert described.split("\n")[1:-1] == expected, "the imports have changed; run python docs/draw_architecture.py"


def test_every_module_is_in_a_room() -> None:
    found = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if list(path.rglob("*.py")) or path.suffix}
    assert found - {"py"} == set(RANK)
    assert sum((PACKAGE / room).is_dir() for room in RANK) <= MOST_ROOMS


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("system/files.py", "from lesionseg.config.schema import CONF"),
        ("data/folder.py", "def late():\n    import lesionseg.check"),
        ("model/unet.py", "if True:\n    from ..checkpoint import contents"),
        ("loss/dice.py", "from lesionseg import check"),
        ("study/sweep.py", "from lesionseg.benchmarking.timing import Timing"),
        ("training/run.py", "from lesionseg.train import train"),
        ("report/chart.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lesionseg.training.run"),
    ],
)
def test_an_arrow_that_runs_up_is_found(tmp_path: Path, module: str, text: str) -> None:
    (tmp_path / module).parent.mkdir(parents=True)
    (tmp_path / module).write_text(text)
    assert len(arrows_up(tmp_path)) == 1


@pytest.mark.parametrize(
    "text",
    ["import lesionseg", "from lesionseg.errors import InputError", "from . import files", "from .files import a"],
)
def test_imports_from_below_and_from_the_own_room_are_no_arrows_up(tmp_path: Path, text: str) -> None:
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "device.py").write_text(text)
    assert arrows_up(tmp_path) == []
