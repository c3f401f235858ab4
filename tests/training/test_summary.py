import pytest

from lesionseg.decision.decision import Decision
from lesionseg.decision.fitting import Candidate, FittedDecision, Trial
from lesionseg.training.summary import print_decision


def test_each_option_is_shown_without_and_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    tried = (Candidate(0.4, 0.81, 0.87), Candidate(0.6, 0.7, 0.75))
    trials = [
        Trial("threshold", Candidate(0.5, 0.8, 0.86), tried, kept=True),
        Trial("fill_holes", Candidate(False, 0.81, 0.87), (Candidate(True, 0.8101, 0.8702),), kept=False),
    ]
    print_decision(FittedDecision(Decision(threshold=0.4), images=150, min_gain=0.001, trials=trials))
    printed = capsys.readouterr().out
    assert "fitted on 150 validation images" in printed
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "->" in line]
    assert rows[-2:] == [
        ["threshold", "0.4", "0.8000 -> 0.8100", "0.8600 -> 0.8700", "yes"],
        ["fill_holes", "true", "0.8100 -> 0.8101", "0.8700 -> 0.8702", "no"],
    ]
