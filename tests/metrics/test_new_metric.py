"""A metric of one's own, one Python file and one YAML outside of lesionseg, is in every file that reports scores."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from lesionseg.compare import compare
from lesionseg.config.build import build
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.evaluate import evaluate
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.formula import Counts, mean_scores
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.study.crossval_plan import Training
from lesionseg.study.crossval_report import shown_columns, tables
from lesionseg.study.crossval_results import CrossvalResults, subset_results
from lesionseg.study.scored_run import Run, read_run

PYTHON = """
from lesionseg.metrics.formula import Fraction


class F2(Fraction):
    title = "F2 score"
    meaning = "5 TP / (5 TP + FP + 4 FN); 1 where both are empty."

    def fraction(self, counts):
        found = 5 * counts.true_positives
        return found, found + counts.false_positives + 4 * counts.false_negatives
"""
YAML = "f2:\n  _target_: f2_of_mine.F2\n"
TARGETS = [[1, 1, 1, 1, *[0] * 8], [0] * 12]
PREDICTIONS = [[0, 1, 1, 1, 1, *[0] * 7], [0] * 12]
EXPECTED = [5 * 3 / (5 * 3 + 1 + 4 * 1), 1.0]
"""Of one image with 3 pixels found, 1 invented and 1 missed, and of an empty one."""


@dataclass(frozen=True)
class Evaluated:
    """Two methods that were scored with the new metric, by its rank, and one without it."""

    good: Path
    poor: Path
    without: Path


def masks(folder: Path, first: list[int]) -> Path:
    folder.mkdir()
    for name, pixels in (("a", first), ("b", [0] * 12)):
        Image.fromarray(255 * np.array(pixels, np.uint8).reshape(3, 4)).save(folder / f"{name}.png")
    return folder


def configuration(config_dir: Path, name: str, words: list[str]) -> DictConfig:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides=[f"hydra.searchpath=[file://{config_dir}]", *words])


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    root = tmp_path_factory.mktemp("mine")
    (root / "conf" / "metrics").mkdir(parents=True)
    (root / "conf" / "metrics" / "f2.yaml").write_text(YAML)
    (root / "f2_of_mine.py").write_text(PYTHON)
    masks(root / "truth", TARGETS[0])
    masks(root / "good", PREDICTIONS[0])
    masks(root / "poor", [0, 0, 0, 1, 1, *[0] * 7])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        patch.setattr("lesionseg.report.figures.figures", lambda summary, images: {})  # they show no other metric
        for name, metrics in (("good", "[default,f2]"), ("poor", "[default,f2]"), ("without", "default")):
            words = [f"metrics={metrics}", "evaluation.resamples=200", "evaluation.picture_size=0"]
            predictions = root / ("poor" if name == "without" else name)
            words += [f"predictions={predictions}", f"truth={root / 'truth'}", f"run_dir={root / 'runs' / name}"]
            evaluate(configuration(root / "conf", "evaluate", words))
        yield Evaluated(*(root / "runs" / name for name in ("good", "poor", "without")))


def test_the_summary_has_it_with_its_interval_pooled_and_defined(evaluated: Evaluated) -> None:
    summary = json.loads((evaluated.good / "summary.json").read_text())
    assert summary["metrics"]["f2"]["value"] == pytest.approx(sum(EXPECTED) / 2)
    assert summary["metrics"]["f2"]["low"] < sum(EXPECTED) / 2 < summary["metrics"]["f2"]["high"]
    assert summary["pooled"]["f2"]["value"] == EXPECTED[0]  # an image of nothing changes nothing
    assert summary["strata"][0]["groups"][0]["metrics"]["f2"]["value"] in EXPECTED
    assert summary["definitions"]["metrics"]["f2"]["title"] == "F2 score"
    assert summary["definitions"]["metrics"]["f2"]["meaning"].startswith("5 TP")


def test_the_table_of_images_has_it(evaluated: Evaluated) -> None:
    with (evaluated.good / "per_image.csv").open() as file:
        assert [float(row["f2"]) for row in csv.DictReader(file)] == EXPECTED


@pytest.mark.parametrize("name", ["report.html", "model_card.md", "table.md", "table.tex"])
def test_pages_and_tables_have_it(evaluated: Evaluated, name: str) -> None:
    assert "F2 score" in (evaluated.good / name).read_text(encoding="utf-8")
    assert "F2 score" not in (evaluated.without / name).read_text(encoding="utf-8")


def test_the_report_explains_it_and_sorts_images_by_it(evaluated: Evaluated) -> None:
    page = (evaluated.good / "report.html").read_text(encoding="utf-8")
    assert "5 TP / (5 TP + FP + 4 FN)" in page
    assert '<option value="f2">F2 score</option>' in page


def compared(tmp_path: Path, words: list[str], *runs: Path) -> dict[str, float]:
    named = ",".join(str(run) for run in runs)
    return compare(configuration(tmp_path, "compare", [f"runs=[{named}]", f"run_dir={tmp_path / 'out'}", *words]))


def test_a_comparison_shows_it_and_ranks_by_it(evaluated: Evaluated, tmp_path: Path) -> None:
    ranking = compared(tmp_path, ["metric=f2", "resamples=200"], evaluated.poor, evaluated.good)
    assert list(ranking) == ["good", "poor"]
    assert ranking["good"] == pytest.approx(sum(EXPECTED) / 2)
    assert "F2 score" in (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")


def test_a_comparison_shows_what_all_evaluations_have(evaluated: Evaluated, tmp_path: Path) -> None:
    ranking = compared(tmp_path, ["metric=jaccard", "resamples=200"], evaluated.without, evaluated.good)
    assert list(ranking) == ["good", "poor"]
    assert "F2 score" not in (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")


def test_a_cross_validation_shows_it(evaluated: Evaluated) -> None:
    def fold(number: int, run: Run) -> tuple[Training, Run]:
        return Training(Path(f"fold_{number}"), number, None, []), run

    scored = [fold(0, read_run(evaluated.good)), fold(1, read_run(evaluated.poor))]
    part = subset_results(scored, resamples=200, seed=0)
    results = CrossvalResults("mine", True, part, None, None, [], scored[0][1].definitions)
    (table,) = tables(results, shown_columns(results, "jaccard", ["dice"]))
    assert table.headings == ["training", "images", "Jaccard (IoU)", "Dice (F1)", "F2 score"]
    assert table.rows[0][-1] == f"{sum(EXPECTED) / 2:.4f}"
    assert table.rows[3][0] == "95 % interval"
    assert " to " in table.rows[3][-1]


def test_training_logs_it_and_the_delivered_model_is_scored_by_it(evaluated: Evaluated) -> None:
    cfg = configuration(evaluated.good.parents[1] / "conf", "train", ["metrics=[default,f2]", "experiment=smoke"])
    metrics = build("metrics", cfg.metrics)
    collection = metric_collection(metrics)
    for prediction, target in zip(PREDICTIONS, TARGETS, strict=True):
        collection.update(
            torch.tensor(prediction).reshape(1, 1, 3, 4).bool(), torch.tensor(target).reshape(1, 1, 3, 4).bool()
        )
    assert collection.compute()["f2"].item() == pytest.approx(sum(EXPECTED) / 2)
    counts = [Counts(3, 1, 1, 7), Counts(0, 0, 0, 12)]
    assert mean_scores(measured_formulas(metrics), counts)["f2"] == pytest.approx(sum(EXPECTED) / 2)
