"""The report: complete, escaped, and in need of nothing else."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from lesionseg.evaluation.summary import Estimate, Group, Stratum, Summary
from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report.pages import html_page

METRICS = definitions_of(standard_formulas())

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L9 9"/></svg>'
HOSTILE = "</script><img src=x onerror=alert(1)>"


def written(summary: Summary, images: Sequence[ImageScores], figures: dict[str, str] | None = None) -> str:
    return html_page(summary, images, figures or {})


def gallery(html: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture
def page(summary: Summary, image_scores: list[ImageScores]) -> str:
    return written(summary, image_scores, {"ROC curve": SVG})


def test_gallery_has_every_image_the_worst_first(page: str, image_scores: list[ImageScores]) -> None:
    images = gallery(page)["images"]
    assert {image["id"] for image in images} == {image.id for image in image_scores}
    jaccard = [image["scores"]["jaccard"] for image in images]
    assert jaccard == sorted(jaccard)
    assert images[0]["flag"] == "missed"
    assert {image["flag"] for image in images} == {"missed", "failure", ""}


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    assert "default-src 'none'" in page
    assert set(re.findall(r'(?:src|href)="([a-z]+:|#|[^"])', page)) == {"data:", "#"}
    loadable = re.sub(r'xmlns(:\w+)?="[^"]*"|"http://www\.w3\.org/2000/svg"', "", page)
    assert "http" not in loadable.replace("http-equiv", "")
    assert "url(" not in page
    assert "innerHTML" not in page


def test_hostile_ids_and_labels_stay_inert(summary: Summary, image_scores: list[ImageScores]) -> None:
    images = [replace(image_scores[0], id=HOSTILE, strata={HOSTILE: HOSTILE}, traits={HOSTILE: 1.0})]
    stratum = Stratum(HOSTILE, [Group(HOSTILE, 1, summary.metrics)])
    html = written(replace(summary, name=HOSTILE, facts={HOSTILE: HOSTILE}, strata=[stratum]), images)
    assert "<img" not in html
    assert html.count("</script>") == 2
    assert gallery(html)["images"][0]["id"] == HOSTILE
    assert gallery(html)["images"][0]["strata"] == {HOSTILE: HOSTILE}


def test_name_is_escaped(page: str) -> None:
    assert "<h1>unet &lt;fast&gt;</h1>" in page


def test_every_metric_has_a_row_and_recall_is_also_called_sensitivity(page: str) -> None:
    scores = page[page.index('id="scores"') : page.index('id="evaluated"')]
    assert scores.count("<details>") == len(METRICS) - 1
    assert "recall (sensitivity)" in scores
    assert "HD95 (px)" in scores
    assert "HD95 (%)" in scores
    assert METRICS["accuracy"].meaning in scores


def test_pooled_scores_stand_apart(page: str) -> None:
    pooled = page[page.index("<caption>Pooled over all pixels") : page.index('id="evaluated"')]
    assert pooled.count('<th scope="row">') == 6
    assert "0.850 to 0.950" in pooled


def test_masks_of_no_use_are_announced_above_the_scores(
    page: str, summary: Summary, image_scores: list[ImageScores]
) -> None:
    alarming = replace(summary, alarms=["Nothing is marked in <9> of 9 images."])
    html = written(alarming, image_scores)
    assert "not usable" not in page
    assert html.index("not usable") < html.index("Nothing is marked in &lt;9&gt; of 9 images.") < html.index('tiles">')


def test_figures_are_embedded_as_they_are(page: str) -> None:
    assert SVG in page
    assert "<figcaption>ROC curve</figcaption>" in page


def test_confusion_matrix_is_in_pixels_and_by_row(page: str) -> None:
    matrix = page[page.index('id="confusion"') :]
    for cell in ("9,000", "400", "95.7 %", "4.3 %", "600", "2,000", "23.1 %", "76.9 %"):
        assert f'<td class="number">{cell}</td>' in matrix


def test_facts_definitions_and_test_set_are_written_down(page: str) -> None:
    assert "<dd>logs/train/best.ckpt</dd>" in page
    assert f'title="SHA-256 {"0" * 64}"' in page
    assert "0.75 % of the image&#39;s diagonal" in page or "0.75 % of the image's diagonal" in page


def test_masks_without_probabilities_say_why_there_are_no_curves(
    summary: Summary, image_scores: list[ImageScores]
) -> None:
    html = written(replace(summary, curves=None), image_scores)
    assert "Only masks were scored: curves over thresholds and calibration need probabilities." in html
    assert "<figure>" not in html


def test_unknown_numbers_are_dashes(summary: Summary, image_scores: list[ImageScores]) -> None:
    single = dict.fromkeys(METRICS, Estimate(0.5, None, None))
    scored = replace(image_scores[0], scores=dict.fromkeys(METRICS, float("nan")))
    one = replace(
        summary,
        images=1,
        metrics=single,
        strata=[Stratum("hair", [Group("no", 1, single)])],
        confusion_matrix=((0, 0), (0, 0)),
        other_metrics={"Undefined": float("nan")},
    )
    html = written(one, [scored])
    assert "None" not in html
    assert "nan" not in html
    assert '<td class="number">\u2013</td><td class="number">\u2013</td>' in html
    assert gallery(html)["images"][0]["scores"]["dice"] is None


def test_further_metrics_have_their_own_table(summary: Summary, image_scores: list[ImageScores]) -> None:
    html = written(replace(summary, other_metrics={"CohenKappa": 0.81234}), image_scores)
    assert '<th scope="row">CohenKappa</th><td class="number">0.812</td>' in html


def test_images_without_a_picture_or_photograph_are_listed(summary: Summary, image_scores: list[ImageScores]) -> None:
    first, second = image_scores[:2]
    assert second.picture
    images = [replace(first, picture=None), replace(second, picture=replace(second.picture, photograph=None))]
    by_id = {image["id"]: image for image in gallery(written(summary, images))["images"]}
    assert by_id[first.id]["picture"] is None
    assert by_id[second.id]["picture"]["photograph"] is None
    assert by_id[second.id]["picture"]["truth"] == second.picture.target
