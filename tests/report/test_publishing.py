"""An evaluation's files appear all together, in full precision, or not at all."""

import csv
import json
from pathlib import Path

import pytest

from lesionseg.evaluation.summary import Summary
from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report import publishing
from lesionseg.report.figures import figures
from lesionseg.report.publishing import publish

METRICS = definitions_of(standard_formulas())

NAMES = {"report.html", "summary.json", "per_image.csv", "table.md", "table.tex", "model_card.md", "figures"}


def test_all_files_are_written_and_nothing_else(
    tmp_path: Path, summary: Summary, image_scores: list[ImageScores]
) -> None:
    publish(summary, image_scores, figures(summary, image_scores), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == NAMES


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

    monkeypatch.setattr(publishing, "write_page", full_disk)
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
