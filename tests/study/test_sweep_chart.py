"""The pictures of a sweep; that they look well is for eyes to say."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lesionseg.study.sweep import read_sweep
from lesionseg.study.sweep_chart import (
    EFFECTS,
    PARALLEL,
    draw_effects,
    draw_parallel,
    medians,
    scale_of,
    write_pictures,
)


@pytest.fixture
def sweep(make_sweep: Any) -> Any:
    rates = [10 ** (-4 + number / 4) for number in range(9)]
    settings = [{"optimizer.lr": rate, "model.block": ["plain", "$x$"][rate > 1e-3], "seed": 1} for rate in rates]
    return make_sweep(settings, [0.5, 0.6, 0.7, None, 0.8, 0.75, 0.7, 0.6, 0.3])


def test_both_pictures_are_written(sweep: Any) -> None:
    assert write_pictures(sweep) == [EFFECTS, PARALLEL]
    for name in (EFFECTS, PARALLEL):
        with Image.open(sweep.folder / name) as picture:
            assert min(picture.size) > 300


def test_each_parameter_that_differs_has_a_panel_with_every_job_that_has_a_value(sweep: Any) -> None:
    figure = draw_effects(sweep)
    assert figure is not None
    assert [axes.get_xlabel() for axes in figure.axes] == ["optimizer.lr", "model.block"]
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == [r"\$x\$", "plain"]
    finished = figure.axes[0].collections[0].get_offsets()
    assert sorted(float(height) for _, height in finished) == [0.3, 0.5, 0.6, 0.6, 0.7, 0.7, 0.75, 0.8]
    assert figure.get_supxlabel() == "1 of 9 jobs have no value"


def test_the_best_job_is_marked(sweep: Any) -> None:
    figure = draw_effects(sweep)
    assert figure is not None
    ((place, height),) = figure.axes[0].collections[-1].get_offsets()
    assert (float(place), float(height)) == (pytest.approx(-3), 0.8)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_line_is_the_darkest_and_on_top(make_sweep: Any, mode: str) -> None:
    sweep = make_sweep([{"seed": number} for number in range(3)], [0.2, 0.9, 0.5], mode=mode)
    figure = draw_parallel(sweep)
    assert figure is not None
    worst, _, best, *_ = (line.get_color() for line in figure.axes[0].lines)
    assert sum(best[:3]) < sum(worst[:3])
    end = float(figure.axes[0].lines[2].get_ydata()[-1])
    assert end == pytest.approx(1 if mode == "max" else 0)


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ([{"seed": 0}], [0.5]),
        ([{"seed": 0}, {"seed": 1}], [None, None]),
        ([{"seed": 0}, {"seed": 0}], [0.5, 0.6]),
        ([{"seed": 0}, {"seed": 1}], [float("nan"), None]),
    ],
    ids=["one job", "all failed", "nothing differs", "no number"],
)
def test_without_anything_to_compare_there_is_no_picture_and_an_old_one_goes(
    make_sweep: Any, settings: Any, values: Any
) -> None:
    sweep = make_sweep(settings, values)
    (sweep.folder / EFFECTS).write_bytes(b"of an earlier ending")
    assert write_pictures(sweep) == []
    assert not (sweep.folder / EFFECTS).exists()


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ([{"seed": 0}, {"seed": 1}], [0.5, None]),
        ([{"seed": 0}, {"seed": 1}], [0.5, 0.5]),
        ([{"a.very.long.name" * 5: "word" * 20}, {"a.very.long.name" * 5: "[x, $]"}], [0.5, 0.6]),
        ([{f"key{number}": seed for number in range(11)} for seed in (0, 1)], [0.5, 0.6]),
        ([{"x": number / 100} for number in range(100)], [number / 100 for number in range(100)]),
        ([{"x": 10.0**-number} for number in range(20)], [1.0] * 20),
    ],
    ids=["one value", "equal values", "long names", "many parameters", "many jobs", "many decades"],
)
def test_whatever_there_is_can_be_drawn(make_sweep: Any, settings: Any, values: Any) -> None:
    assert len(write_pictures(make_sweep(settings, values))) == 2


def test_a_job_that_lacks_a_parameter_is_drawn(make_job: Any, tmp_path: Path) -> None:
    make_job(0, ["seed=0"], {"val/dice": 0.5})
    make_job(1, ["seed=0", "model.depth=3"], {"val/dice": 0.6}, state="pruned")
    figure = draw_effects(read_sweep(tmp_path))
    assert figure is not None
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["-", "3"]


def test_the_axis_names_what_is_drawn(make_job: Any, tmp_path: Path) -> None:
    make_job(0, ["seed=0"], {"val/dice": 0.1, "val_delivered/dice": 0.5})
    make_job(1, ["seed=1"], {"val/dice": 0.2}, state="pruned")
    figure = draw_effects(read_sweep(tmp_path))
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "val_delivered/dice"
    assert "pruned (val/dice)" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_numbers_lie_by_their_size_in_their_order() -> None:
    scale = scale_of(["32", "8", "16", "8"])
    assert (scale.kind, scale.values) == ("linear", ["8", "16", "32"])
    assert scale.place("16") == 16


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "30"], "linear"),
        (["1", "31"], "log"),
        (["1e-4", "1e-2"], "log"),
        (["0", "1e-4", "1e-2"], "linear"),
        (["-1", "100"], "linear"),
        (["nan", "1"], "words"),
        (["null", "0.1"], "words"),
        (["true", "false"], "words"),
    ],
)
def test_positive_numbers_that_span_more_than_thirty_times_are_on_a_log_axis(values: list[str], kind: str) -> None:
    assert scale_of(values).kind == kind


def test_a_log_axis_counts_in_decades() -> None:
    scale = scale_of(["1e-4", "1e-2"])
    assert scale.place("1e-2") - scale.place("1e-4") == pytest.approx(2)


def test_words_lie_side_by_side() -> None:
    scale = scale_of(["sgd", "adam", "sgd"])
    assert [scale.place(word) for word in ("adam", "sgd")] == [0, 1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["8", "16", "32"], True),
        (["0.98", "0.99", "0.995", "0.998"], True),
        (["0.008459", "0.008569", "0.001", "0.0001"], False),
        ([str(number) for number in range(7)], False),
        (list("abcdefgh"), True),
        (["1"], True),
    ],
)
def test_values_are_named_where_their_names_do_not_overlap(values: list[str], named: bool) -> None:
    assert scale_of(values).names_each == named


def test_few_places_have_a_median_each() -> None:
    assert medians([1, 2, 1, 1], [0.1, 0.9, 0.3, 0.2]) == [(1, 0.2), (2, 0.9)]


def test_many_places_are_grouped_with_their_neighbours() -> None:
    places = [float(place) for place in range(8)]
    assert medians(places[::-1], places[::-1]) == [(0.5, 0.5), (2.5, 2.5), (4.5, 4.5), (6.5, 6.5)]
