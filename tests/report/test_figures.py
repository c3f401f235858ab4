import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from lesionseg.evaluation.summary import Estimate, Group, Stratum, Summary
from lesionseg.report.chart import as_svg
from lesionseg.report.figures import TITLES, figures


@pytest.fixture(scope="module")
def drawn(summary, image_scores) -> dict[str, Figure]:
    return figures(summary, image_scores)


@pytest.fixture(scope="module")
def svgs(drawn: Mapping[str, Figure]) -> dict[str, str]:
    return {stem: as_svg(figure) for stem, figure in drawn.items()}


def _texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_everything_is_drawn_where_there_are_data_for_everything(drawn):
    assert list(drawn) == list(TITLES)


def test_masks_alone_have_no_figures_of_probabilities(summary, image_scores):
    plain = [replace(image, traits={"lesion_share": None}) for image in image_scores]

    assert set(figures(replace(summary, curves=None, strata=[]), plain)) == {"distributions", "confusion_matrix"}


def test_truth_of_one_kind_has_no_roc_and_precision_recall_curve(summary, image_scores):
    nothing = {"false_positive_rate": [], "true_positive_rate": [], "recall": [], "precision": []}
    curves = replace(summary.curves, roc_area=None, average_precision=None, **nothing)
    skin = replace(summary, curves=curves, confusion_matrix=((500, 0), (0, 0)))

    assert set(TITLES) - set(figures(skin, image_scores)) == {"roc", "precision_recall"}


def test_curves_carry_their_numbers_and_the_decision_that_was_scored(drawn, svgs):
    assert "pixels of all images, area 0.9300" in _texts(svgs["roc"])
    assert "pixels of all images, average precision 0.8800" in _texts(svgs["precision_recall"])
    assert "calibration error 0.0310, Brier score 0.0420" in _texts(svgs["calibration"])
    marks = [line.get_xydata()[0] for stem in ("roc", "precision_recall") for line in drawn[stem].axes[0].lines[2:]]
    # From the fixture's matrix: 400 of 9,400 skin pixels, 2,000 of 2,600 lesion pixels, 2,000 of 2,400 found ones.
    np.testing.assert_allclose(marks, [(400 / 9_400, 2_000 / 2_600), (2_000 / 2_600, 2_000 / 2_400)])


def test_confusion_matrix_shows_pixels_and_shares_of_the_truth(svgs):
    texts = _texts(svgs["confusion_matrix"])

    assert {"9,000", "400", "600", "2,000", "95.74 %", "4.26 %", "23.08 %", "76.92 %"} <= set(texts)


def test_histograms_hold_every_image_and_count_the_failures(drawn, svgs, image_scores):
    failures = sum(image.scores["jaccard"] < 0.65 for image in image_scores)

    for axes in drawn["distributions"].axes:
        assert sum(bar.get_height() for bar in axes.patches) == len(image_scores)
    assert f"failures below 0.65: {failures} of 12" in _texts(svgs["distributions"])


def test_forest_plot_names_every_group_with_its_number_of_images(svgs, summary):
    texts = _texts(svgs["strata"])
    mean = summary.metrics["jaccard"].value

    assert {"lesion size", "small", "large", "touches the border", "no"} <= set(texts)
    assert [text for text in texts if "n = " in text] == [f"{mean:.3f}, n = {count}" for count in (7, 5, 12)]


def test_long_labels_of_strata_neither_overlap_nor_leave_the_figure(summary, image_scores):
    metrics = {"jaccard": Estimate(0.8, 0.7, 0.9)}
    long = "a benign keratosis-like lesion (solar lentigo, seborrheic keratosis or lichen planus), $5 to $6"
    strata = [Stratum(f"{long} {number}", [Group(long, 1_000, metrics), Group("x", 2, metrics)]) for number in range(3)]
    figure = figures(replace(summary, curves=None, strata=strata), image_scores)["strata"]

    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(lower.y1 <= upper.y0 for upper, lower in pairwise(boxes))
    for box in [*boxes, *(text.get_window_extent() for text in figure.axes[0].texts)]:
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


def test_one_image_is_drawn_without_intervals(summary, image_scores):
    single = {name: Estimate(image_scores[0].scores[name], None, None) for name in summary.metrics}
    strata = [Stratum("size", [Group("small", 1, single)])]
    alone: Summary = replace(summary, curves=None, images=1, metrics=single, strata=strata)

    assert "0.950, n = 1" in _texts(as_svg(figures(alone, image_scores[:1])["strata"]))


def test_svg_ids_are_unique_in_the_page_and_every_reference_finds_its_own(svgs):
    page = "".join(svgs.values())
    ids = re.findall(r'\sid="([^"]+)"', page)

    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', page)) == set(ids)


def test_a_thousand_images_make_a_small_scatter(summary, image_scores):
    many = [
        replace(image, traits={"lesion_share": (number % 97) / 97}, scores=image.scores | {"jaccard": number / 1_000})
        for number, image in enumerate(image_scores * 84)
        if number < 1_000
    ]

    plain = replace(summary, curves=None, strata=[])
    assert len(as_svg(figures(plain, many)["size_and_score"])) < 150_000
