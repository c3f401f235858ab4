import pytest

from lesionseg.metrics.formula import Counts
from lesionseg.postprocessing.fitting import Candidate, FittedPostprocessing, Trial
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.training.last_words import HEADINGS, print_postprocessing, print_results


def test_each_option_is_shown_without_and_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    tried = (Candidate(0.4, 0.81, 0.87), Candidate(0.6, 0.7, 0.75))
    trials = [
        Trial("threshold", Candidate(0.5, 0.8, 0.86), tried, kept=True),
        Trial("fill_holes", Candidate(False, 0.81, 0.87), (Candidate(True, 0.8101, 0.8702),), kept=False),
    ]
    fitted = FittedPostprocessing(
        Postprocessing(threshold=0.4), images=150, min_gain=0.001, trials=trials, scores={}, counts=Counts(0, 0, 0, 0)
    )
    print_postprocessing(fitted)
    printed = capsys.readouterr().out
    assert "fitted on 150 validation images" in printed
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "->" in line]
    assert rows[-2:] == [
        ["threshold", "0.4", "0.8000 -> 0.8100", "0.8600 -> 0.8700", "yes"],
        ["fill_holes", "true", "0.8100 -> 0.8101", "0.8700 -> 0.8702", "no"],
    ]


def test_what_was_trained_and_what_is_delivered_stand_side_by_side(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    results = {"val/dice": 0.0391, "val_delivered/dice": 0.5142, "test/dice": 0.5098, "val/loss": 1.25, "epoch": 3.0}
    print_results(results, title="best checkpoint", headings=HEADINGS)
    lines = capsys.readouterr().out.splitlines()
    headings = [cell.strip() for cell in lines[2].split("┃")[1:-1]]
    assert headings == ["metric", "validation, as trained", "validation, as delivered", "test, as delivered"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert rows == [["dice", "0.0391", "0.5142", "0.5098"], ["loss", "1.2500", "", ""]]
    assert "with the decision that was fitted" in " ".join(lines).replace("  ", " ")


def test_without_a_fitted_decision_there_is_no_such_column(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"val/dice": 0.9, "test/dice": 0.8}, title="best checkpoint", headings=HEADINGS)
    printed = capsys.readouterr().out
    assert "validation, as trained" in printed
    assert "validation, as delivered" not in printed
    assert "fitted" not in printed
