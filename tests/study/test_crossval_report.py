"""What the tables say, and what they say of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.study.crossval_plan import Training
from lesionseg.study.crossval_report import draw_crossval, notes, report_crossval, tables
from lesionseg.study.crossval_results import CrossvalResults, FittedScore, Scored, subset_results
from lesionseg.study.scored_run import Run, estimates

METRICS = definitions_of(standard_formulas())

RunOf = Callable[..., Run]
TrainingOf = Callable[..., Training]


@pytest.fixture
def out_of_fold(run_of: RunOf, training_of: TrainingOf) -> list[Scored]:
    return [
        (training_of(fold=0), run_of({"a": 0.5, "b": 0.7})),
        (training_of(fold=1), run_of({"c": 0.8, "d": 0.8})),
    ]


@pytest.fixture
def tested(run_of: RunOf, training_of: TrainingOf) -> list[Scored]:
    return [(training_of(fold=0), run_of({"t": 0.1, "u": 0.2})), (training_of(fold=1), run_of({"t": 0.3, "u": 0.4}))]


def results(out_of_fold: list[Scored], test: list[Scored], ensemble: Run | None, **changes: Any) -> CrossvalResults:
    usual: Mapping[str, Any] = {
        "name": "method",
        "is_cross_validation": True,
        "out_of_fold": subset_results(out_of_fold, resamples=200, seed=0),
        "test": subset_results(test, resamples=200, seed=0) if test else None,
        "ensemble": None if ensemble is None else estimates(ensemble.scores, [ensemble], resamples=200, seed=0),
        "fitted": [FittedScore("fold_0", 2, 0.6, 0.62), FittedScore("fold_1", 2, 0.8, 0.9)],
        "definitions": out_of_fold[0][1].definitions,
    }
    return CrossvalResults(**{**usual, **changes})


def test_every_training_all_images_and_the_spread_have_a_row(out_of_fold: list[Scored]) -> None:
    (table, fitted) = tables(results(out_of_fold, [], None), ["jaccard"])
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["fold_0"] == ["2", "0.6000"]
    assert rows["fold_1"] == ["2", "0.8000"]
    assert rows["all images"] == ["4", "0.7000"]
    assert rows["mean ± SD over folds"] == ["", "0.7000 ± 0.1414"]
    assert rows["range over folds"] == ["", "0.6000 to 0.8000"]
    assert fitted.rows[-1] == ["all images", "4", "0.7000", "0.7600"]
    assert "better than it is" in fitted.title


def test_the_test_part_and_the_ensemble_have_a_table_of_their_own(
    out_of_fold: list[Scored], tested: list[Scored], run_of: RunOf
) -> None:
    table = tables(results(out_of_fold, tested, run_of({"t": 0.6, "u": 0.6}), fitted=[]), ["dice"])[1]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["all images"] == ["2", "0.2500"]
    assert rows["ensemble of all"] == ["2", "0.6000"]


def test_the_notes_say_what_flatters_the_numbers(out_of_fold: list[Scored]) -> None:
    said = " ".join(notes(results(out_of_fold, [], None), "val/dice"))
    assert "best epoch was chosen on the images of the first table (by val/dice)" in said
    assert "fitted afterwards are left out" in said
    assert "no standard error" in said


def test_everything_is_written_down(
    tmp_path: Path,
    training_of: TrainingOf,
    run_of: RunOf,
    tested: list[Scored],
) -> None:
    scored = []
    for fold, id_ in enumerate("ab"):
        folder = tmp_path / f"fold_{fold}"
        folder.mkdir()
        row = [id_, "truth", *(["0.123456789012345"] * len(METRICS))]
        (folder / "per_image.csv").write_text(
            f"{','.join(['id', 'target_sha256', *METRICS])}\n{','.join(row)}\n", encoding="utf-8"
        )
        scored.append((training_of(fold=fold), run_of({id_: 0.123456789012345}, folder)))
    ensemble = run_of({"t": 0.5, "u": 0.7})
    found = results(scored, tested, ensemble, name="a|b")
    figure = draw_crossval(found, scored, tested, ensemble, metric="jaccard")
    report_crossval(found, scored, figure, tmp_path, columns=["jaccard"], monitor="val/dice", facts={"folds": 2})
    lines = (tmp_path / "out_of_fold.csv").read_text().splitlines()
    assert lines[0] == f"id,fold,seed,{','.join(METRICS)},target_sha256"
    assert lines[1] == f"a,0,4,{','.join(['0.123456789012345'] * len(METRICS))},truth"
    assert lines[2].startswith("b,1,4,")
    assert "**a\\|b: Out of fold, 2 images" in (tmp_path / "crossval.md").read_text(encoding="utf-8")
    assert '"folds": 2' in (tmp_path / "crossval.json").read_text(encoding="utf-8")
    assert (tmp_path / "crossval.png").stat().st_size > 1000
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [
        "crossval.json",
        "crossval.md",
        "crossval.png",
        "out_of_fold.csv",
    ]
