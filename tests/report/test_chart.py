"""Axes show numbers that people can read, and figures become files and parts of pages."""

import re
from pathlib import Path
from xml.etree import ElementTree

import cv2
import matplotlib
import pytest
from matplotlib.figure import Figure

from lesionseg.report.chart import as_svg, keep_apart, literal, save, wrapped


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([0.0, 0.0], (0.0, 0.1)),
        ([1e-17, 3e-17], (0.0, 0.1)),
        ([0.8, 0.8 + 1e-16], (0.75, 0.85)),
    ],
)
def test_equal_values_lie_on_an_axis_of_a_tenth(values: list[float], limits: tuple[float, float]) -> None:
    axes = Figure().add_subplot()
    axes.plot([1, 2], values)
    keep_apart(axes, "y", lowest=0.0)
    assert axes.get_ylim() == pytest.approx(limits)


def test_a_difference_of_nothing_lies_in_the_middle() -> None:
    axes = Figure().add_subplot()
    axes.axvline(0)
    axes.plot([1e-18, -1e-18], [1, 2])
    keep_apart(axes, "x")
    assert axes.get_xlim() == pytest.approx((-0.05, 0.05))


def test_values_that_differ_and_axes_without_any_are_left_alone() -> None:
    axes = Figure().add_subplot()
    empty = axes.get_ylim()
    keep_apart(axes, "y")
    assert axes.get_ylim() == empty
    axes.plot([1, 2], [0.80, 0.81])
    before = axes.get_ylim()
    keep_apart(axes, "y")
    assert axes.get_ylim() == before


def figure() -> Figure:
    drawn = Figure((2, 1.5), label="A <chart>")
    axes = drawn.add_subplot()
    axes.plot([0, 1], [0, 1], label="line")
    axes.imshow([[0, 1]])
    return drawn


def test_a_figure_is_saved_as_what_its_files_are_called(tmp_path: Path) -> None:
    save(figure(), tmp_path / "a.png", tmp_path / "a.pdf")
    assert cv2.imread(str(tmp_path / "a.png")).shape == (225, 300, 3)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in (tmp_path / "a.pdf").read_bytes()


def test_svg_stands_inside_a_page_and_scales() -> None:
    svg = as_svg(figure())
    root = ElementTree.fromstring(svg)
    assert not {"width", "height"} & set(root.attrib)
    assert root.attrib["viewBox"].startswith("0 0 ")
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "A <chart>")
    assert not re.search(r"<\?xml|<!DOCTYPE|<metadata|<style", svg)
    assert as_svg(figure()) == svg


def test_settings_of_matplotlib_stay_as_they_were(tmp_path: Path) -> None:
    # The backend is chosen when somebody first asks for it, here the comparison.
    before = {key: matplotlib.rcParams[key] for key in matplotlib.rcParams}
    save(figure(), tmp_path / "a.pdf")
    as_svg(figure())
    assert dict(matplotlib.rcParams) == before


def test_dollars_are_no_mathematics_and_long_labels_are_cut() -> None:
    assert literal("$5 to $6") == r"\$5 to \$6"
    assert wrapped("one two three $4", 9) == "one two\nthree \\$4"
    assert wrapped("one two three four", 9, lines=2) == "one two\nthree ..."
