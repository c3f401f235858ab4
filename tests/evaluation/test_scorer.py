"""One image is scored at the ground truth's own size, with or without photograph and probabilities."""

from typing import Any

import numpy as np
import pytest

from lesionseg.evaluation.probabilities import ProbabilityCounts
from lesionseg.evaluation.scorer import score_image
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.metrics.definitions import definitions_of, standard_formulas

METRICS = definitions_of(standard_formulas())

TARGET = np.zeros((30, 50), np.uint8)
TARGET[5:25, 10:40] = 1


@pytest.fixture
def settings(evaluation_settings: EvaluationSettings) -> EvaluationSettings:
    return evaluation_settings


def score(settings: EvaluationSettings, target: np.ndarray = TARGET, **known: Any) -> Any:
    given = {"prediction": TARGET, "photograph": None, "probability": None} | known
    return score_image("set/one", target=target, settings=settings, formulas=standard_formulas(), **given)


def test_every_metric_has_a_value_in_the_order_of_the_tables(settings: EvaluationSettings) -> None:
    scores = score(settings).scores
    assert list(scores.scores) == list(METRICS)
    assert (scores.height, scores.width, scores.scores["dice"], scores.scores["hd95"]) == (30, 50, 1.0, 0.0)


def test_a_photograph_of_another_size_adds_colours_and_a_picture(settings: EvaluationSettings) -> None:
    photograph = np.full((60, 100, 3), 200, np.uint8)
    photograph[10:50, 20:80] = 60
    scores = score(settings, photograph=photograph).scores
    assert scores.traits["contrast"] > 30
    assert scores.picture.photograph
    assert scores.strata["source"] == "set"
    without = score(settings).scores
    assert without.picture.photograph is None
    assert "contrast" not in without.strata


def test_probabilities_are_counted_where_there_are_any(settings: EvaluationSettings) -> None:
    assert score(settings).probabilities is None
    counts = ProbabilityCounts()
    counts.add(score(settings, probability=TARGET.astype(np.float32)).probabilities)
    assert counts.pixels.sum() == TARGET.size
    assert counts.curves().roc_area == pytest.approx(1.0)


def test_other_ground_truth_has_another_fingerprint(settings: EvaluationSettings) -> None:
    changed, reshaped = TARGET.copy(), TARGET.reshape(50, 30)
    changed[0, 0] = 1
    prints = {
        score(settings, target, prediction=target).scores.target_sha256
        for target in (TARGET, TARGET.copy(), changed, reshaped)
    }
    assert len(prints) == 3


def test_masks_of_two_shapes_are_refused(settings: EvaluationSettings) -> None:
    with pytest.raises(ValueError, match="one shape"):
        score(settings, prediction=TARGET[1:])
