"""An evaluation's files appear all together, in full precision, or not at all; the terminal shows their summary."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from lesionseg.data.descriptor import LookAlike
from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate, Summary
from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report import publishing
from lesionseg.report.publishing import paper_table, print_summary, publish

METRICS = definitions_of(standard_formulas())

NAMES = {"report.html", "summary.json", "per_image.csv", "table.md", "table.tex", "model_card.md", "figures"}


def test_all_files_are_written_and_nothing_else(
    tmp_path: Path, summary: Summary, image_scores: list[ImageScores]
) -> None:
    figures = {"roc": Figure((1, 1), label="ROC"), "confusion_matrix": Figure((1, 1), label="matrix")}
    publish(summary, image_scores, figures, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == NAMES
    drawn = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert drawn == {"roc.png", "roc.pdf", "confusion_matrix.png", "confusion_matrix.pdf"}
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert 'aria-label="ROC"' in page
    assert 'aria-label="matrix"' not in page  # the page has it as a table


def test_an_older_evaluation_is_replaced(tmp_path: Path, summary: Summary, image_scores: list[ImageScores]) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").touch()
    (tmp_path / "summary.json").write_text("old")
    publish(summary, image_scores, {}, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["name"] == "unet <fast>"
    assert not (tmp_path / "figures" / "old.png").exists()


def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, summary: Summary, image_scores: list[ImageScores], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(publishing, "html_page", full_disk)
    with pytest.raises(OSError, match="no space left"):
        publish(summary, image_scores, {}, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_the_table_has_every_number_in_full(tmp_path: Path, image_scores: list[ImageScores]) -> None:
    publishing.write_per_image(image_scores[::-1], tmp_path / "per_image.csv")
    with (tmp_path / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [image.id for image in image_scores]
    for row, image in zip(rows, image_scores, strict=True):
        assert {name: float(row[name]) for name in METRICS} == image.scores
        assert row["trait:hair"] == ""
        assert row["stratum:lesion size"] == image.strata["lesion size"]
    assert [row["missed"] for row in rows] == ["0"] * 11 + ["1"]


@pytest.fixture
def known(summary: Summary) -> Summary:
    """A summary whose numbers are easily written by hand."""
    metrics = dict.fromkeys(summary.metrics, Estimate(0.85216, 0.84, 0.8649)) | {"hd95": Estimate(3.14, 2.0, 4.5)}
    return replace(summary, name="plain", metrics=metrics)


def test_a_papers_table_is_one_row_in_percent(known: Summary) -> None:
    table = paper_table(known)
    assert table.headings[:5] == ["Method", "N", "Jaccard", "Dice", "threshold Jaccard"]
    assert table.headings[-1] == "HD95 (% diag.)"
    assert table.rows == [["plain", "12", *["85.2 [84.0, 86.5]"] * 6, "3.1 [2.0, 4.5]"]]
    assert HOW in table.notes[0]


def test_one_image_has_no_interval(known: Summary) -> None:
    single = replace(known, metrics=dict.fromkeys(known.metrics, Estimate(0.5, None, None)))
    assert paper_table(single).rows == [["plain", "12", *["50.0"] * 6, "0.5"]]


@pytest.mark.parametrize("name", ["mine [bold]", "[/b] z", "a [1], b"])
def test_brackets_in_a_name_are_shown(summary: Summary, capsys: pytest.CaptureFixture[str], name: str) -> None:
    print_summary(replace(summary, name=name), Path("run [2]"))
    printed = capsys.readouterr().out
    assert f"{name}: 12 images" in printed
    assert "run [2]/report.html" in printed


def test_every_metric_has_its_mean_and_interval(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(replace(summary, other_metrics={"cohen_kappa": 0.8123}), Path("run"))
    rows = {line.split("  ")[0].strip(): line for line in capsys.readouterr().out.splitlines() if line.strip()}
    jaccard = summary.metrics["jaccard"]
    assert f"{jaccard.value:.4f}" in rows["Jaccard (IoU)"]
    assert f"{jaccard.low:.4f} to {jaccard.high:.4f}" in rows["Jaccard (IoU)"]
    assert "0.8123" in rows["cohen kappa"]


def test_useless_masks_and_known_images_are_warned_of(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(replace(summary, alarms=["Nothing is marked."], known_images=[LookAlike("a", "b", 0.9)]), Path("run"))
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "NOT USABLE: these masks. Nothing is marked." in printed
    assert "1 of 12 images look like images that the model was trained on: a (like b)." in printed
