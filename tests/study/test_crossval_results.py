"""Means, spreads and intervals, worked out by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lesionseg.metrics.definitions import definitions_of, standard_formulas
from lesionseg.study.crossval_plan import Training
from lesionseg.study.crossval_results import SubsetResults, fitted_scores, subset_results
from lesionseg.study.scored_run import Run, estimates

METRICS = definitions_of(standard_formulas())

RunOf = Callable[..., Run]
TrainingOf = Callable[..., Training]


def results(*scored: tuple[Training, Run]) -> SubsetResults:
    return subset_results(scored, resamples=200, seed=0)


def test_folds_of_different_sizes_count_by_their_images(run_of: RunOf, training_of: TrainingOf) -> None:
    found = results(
        (training_of(fold=0), run_of({"a": 1.0, "b": 0.8, "c": 0.6})), (training_of(fold=1), run_of({"d": 0.4}))
    )
    assert found.images == 4
    assert found.overall["jaccard"].value == pytest.approx(0.7)  # (1.0 + 0.8 + 0.6 + 0.4) / 4
    assert [one.means["jaccard"] for one in found.trainings] == pytest.approx([0.8, 0.4])
    assert found.over_folds is not None
    spread = found.over_folds["jaccard"]
    assert (spread.mean, spread.lowest, spread.highest) == pytest.approx((0.6, 0.4, 0.8))
    assert spread.deviation == pytest.approx(0.2 * 2**0.5)
    assert found.over_seeds is None


def test_seeds_are_averaged_image_by_image_and_spread_over_their_means(run_of: RunOf, training_of: TrainingOf) -> None:
    found = results(
        (training_of(seed=0), run_of({"a": 0.5, "b": 0.7})),
        (training_of(seed=1), run_of({"a": 0.7, "b": 0.7})),
        (training_of(seed=2), run_of({"a": 0.9, "b": 0.7})),
    )
    assert found.images == 2
    assert found.overall["dice"].value == pytest.approx(0.7)
    low, high = found.overall["dice"].low, found.overall["dice"].high
    # Each image's mean over seeds is 0.7; the half images at 0 and at 1 alone keep the interval open.
    assert low < 0.7 < high
    assert estimates(np.full((len(METRICS), 2), 0.7), [run_of({"a": 0.5})], resamples=200, seed=0)["dice"].low == low
    assert found.over_folds is None
    assert found.over_seeds is not None
    assert found.over_seeds["dice"].deviation == pytest.approx(0.1)  # of 0.6, 0.7 and 0.8


def test_with_folds_and_seeds_each_spread_is_of_its_own_means(run_of: RunOf, training_of: TrainingOf) -> None:
    values = {(0, 0): 0.2, (0, 1): 0.4, (1, 0): 0.6, (1, 1): 0.8}
    images = {0: "a", 1: "b"}
    found = results(*((training_of(fold=f, seed=s), run_of({images[f]: value})) for (f, s), value in values.items()))
    assert found.images == 2
    assert found.over_folds is not None
    assert found.over_seeds is not None
    assert (found.over_folds["jaccard"].lowest, found.over_folds["jaccard"].highest) == pytest.approx((0.3, 0.7))
    assert (found.over_seeds["jaccard"].lowest, found.over_seeds["jaccard"].highest) == pytest.approx((0.4, 0.6))
    assert found.overall["jaccard"].value == pytest.approx(0.5)


def test_one_image_has_no_interval(run_of: RunOf, training_of: TrainingOf) -> None:
    found = results((training_of(seed=0), run_of({"a": 0.5})), (training_of(seed=1), run_of({"a": 0.7})))
    assert (found.overall["jaccard"].low, found.overall["jaccard"].high) == (None, None)


def postprocessing(*trials: tuple[float, list[float], bool]) -> str:
    contents = [
        {"without": {"jaccard": without}, "tried": [{"jaccard": one} for one in tried], "kept": kept}
        for without, tried, kept in trials
    ]
    return json.dumps({"images": 10, "trials": contents})


@pytest.mark.parametrize(
    ("text", "before_and_after"),
    [
        (postprocessing((0.70, [0.69, 0.72], True), (0.72, [0.73], True)), (0.70, 0.73)),
        (postprocessing((0.70, [0.69, 0.72], True), (0.72, [0.71], False)), (0.70, 0.72)),
        (postprocessing((0.70, [0.69], False)), (0.70, 0.70)),
    ],
)
def test_what_fitting_brought_is_read_from_the_trials(
    tmp_path: Path, text: str, before_and_after: tuple[float, float]
) -> None:
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0" / "decision.json").write_text(text)
    found = fitted_scores([Training(tmp_path / "fold_0", 0, None, []), Training(tmp_path / "fold_1", 1, None, [])])
    assert [(one.name, one.images, one.configured, one.fitted) for one in found] == [("fold_0", 10, *before_and_after)]


def test_without_trials_there_is_nothing_to_tell(tmp_path: Path) -> None:
    (tmp_path / "decision.json").write_text(postprocessing())
    assert fitted_scores([Training(tmp_path, None, 0, [])]) == []
