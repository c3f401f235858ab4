from collections.abc import Sequence
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from lesionseg.evaluation.summary import Group, Stratum, Summary
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report.pages import described, model_card, unknown_attributes


def _card(summary: Summary, images: Sequence[ImageScores]) -> str:
    return model_card(summary, images)


def _html(markdown: str) -> str:
    return MarkdownIt().enable("table").render(markdown)


def test_card_has_the_sections_of_mitchell_2019_and_valid_tables(summary, image_scores):
    card = _card(summary, image_scores)
    html = _html(card)

    for section in ("Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data"):
        assert f"<h2>{section}</h2>" in html
    for section in ("Quantitative analyses", "Ethical considerations", "What was not measured"):
        assert f"<h2>{section}</h2>" in html
    assert html.count("<table>") == 6
    assert "|" not in html  # every row belongs to a table
    assert "{" not in card
    assert "\n\n\n" not in card
    assert card.endswith(".\n")


def test_card_of_masks_of_no_use_begins_with_that(summary, image_scores):
    assert "Do not use" not in _card(summary, image_scores)
    card = _html(_card(replace(summary, alarms=["Nothing is marked in 9 of 9 images."]), image_scores))
    assert card.index("Do not use this model") < card.index("Nothing is marked in 9 of 9") < card.index("<h2>")


def test_card_describes_network_facts_and_numbers(summary, image_scores):
    html = _html(_card(summary, image_scores))

    assert "<h1>Model card: unet &lt;fast&gt;</h1>" in html
    assert "lesionseg.model.unet.UNet (base_channels 16)" in html
    assert "logs/train/best.ckpt" in html
    assert "0" * 64 in html
    jaccard = summary.metrics["jaccard"]
    assert f"{jaccard.low:.4f} to {jaccard.high:.4f}" in html
    assert "not a medical device" in html


def test_card_lists_the_five_lowest_images_the_missed_one_first(summary, image_scores):
    worst = _card(summary, image_scores).split("### Worst images")[1].split("###")[0]

    rows = [line.split("|")[1].strip() for line in worst.splitlines() if "ISIC" in line]
    assert rows == [f"ISIC_{number:07d}" for number in (11, 10, 9, 8, 7)]
    assert worst.count("missed entirely |") == 1


def test_card_of_masks_says_that_the_model_and_its_calibration_are_unknown(summary, image_scores):
    card = _card(replace(summary, config=None, curves=None, facts={}, strata=[]), image_scores)

    assert "The model is unknown" in card
    assert "Unknown: there are no probabilities." in card
    assert "## Training data\n\nUnknown." in card
    assert "Results are not broken down" in card
    assert "one set of masks was scored" in card
    assert "only masks were scored" in card


def test_pipes_in_facts_and_groups_do_not_break_tables(summary, image_scores):
    strata = [Stratum("a|b", [Group("c|d", 12, summary.metrics)])]
    html = _html(_card(replace(summary, strata=strata, facts={"x|y": "1|2"}), image_scores))

    assert "<td>a|b</td>\n<td>c|d</td>" in html
    assert "<td>x|y</td>\n<td>1|2</td>" in html


def test_areas_that_do_not_exist_are_called_undefined(summary, image_scores):
    curves = replace(summary.curves, roc_area=None, average_precision=None)

    assert _card(replace(summary, curves=curves), image_scores).count("undefined: all pixels") == 2


@pytest.mark.parametrize(
    ("columns", "open_questions"),
    [
        ([], ["skin type", "diagnosis", "sex", "age"]),
        (["dx_type", "localization", "image size"], ["skin type", "diagnosis", "sex", "age"]),  # HAM10000's
        (["dx", "sex"], ["skin type", "age"]),
        (["fitzpatrick_skin_type", "age_approx"], ["diagnosis", "sex"]),  # the ISIC archive's
    ],
)
def test_attributes_of_people_are_unmeasured_unless_metadata_have_them(columns, open_questions, summary, image_scores):
    groups = [Group("a", 50, summary.metrics), Group("b", 50, summary.metrics)]
    changed = replace(summary, strata=[Stratum(name, groups) for name in columns])

    assert unknown_attributes(changed) == open_questions
    assert f"- Whether results differ by {', '.join(open_questions)}: " in _card(changed, image_scores)


def test_nothing_is_asked_of_people_when_all_attributes_are_there(summary, image_scores):
    names = ("Skin type", "diagnosis", "gender", "age")
    groups = [Group("a", 50, summary.metrics), Group("b", 50, summary.metrics)]
    changed = replace(summary, strata=[Stratum(name, groups) for name in names])

    assert "Whether results differ" not in _card(changed, image_scores)


def test_a_single_group_measures_no_difference(summary):
    strata = [Stratum("sex", [Group("female", 50, {})])]

    assert unknown_attributes(replace(summary, strata=strata)) == ["skin type", "diagnosis", "sex", "age"]


def test_small_groups_drawn_images_and_their_number_are_named(summary, image_scores):
    sentences = _card(summary, image_scores).split("## What was not measured")[1]

    assert "lesion size: small (7); lesion size: large (5)" in sentences
    assert "the scored images are drawn" in sentences
    assert "12 images were scored" in sentences
    assert "one training run was scored" in sentences
    assert "other thresholds" not in sentences


def test_configuration_is_described_with_classes_and_set_values():
    node = {"bce": {"_target_": "a.BCE", "_partial_": True, "weight": 1.0, "name": None, "suffix": ""}}

    assert described(node) == "bce a.BCE (weight 1.0)"
    assert described({"_target_": "a.Plain"}) == "a.Plain"
