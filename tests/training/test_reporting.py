from pathlib import Path

from lesionseg.decision.decision import Decision
from lesionseg.training.reporting import tested as facts_of


def facts(decision: Decision, *, is_fitted: bool) -> dict[str, str]:
    return facts_of(
        Path("best.ckpt"), data="Folder", part="test", split_sha256="0", decision=decision, is_fitted=is_fitted
    )


def test_a_configured_decision_is_told() -> None:
    assert facts(Decision(threshold=0.4), is_fitted=False)["decision"].endswith("is above 0.4")


def test_seeds_that_fitted_other_decisions_remain_one_method() -> None:
    first, second = (facts(Decision(threshold=threshold), is_fitted=True) for threshold in (0.4, 0.5))
    assert first["decision"] == second["decision"] != facts(Decision(threshold=0.4), is_fitted=False)["decision"]
    assert first["fitted decision"].endswith("is above 0.4")
