from typing import Any

import numpy as np
import pytest

from lesionseg.errors import InputError
from lesionseg.metrics.definitions import standard_formulas
from lesionseg.metrics.image_scores import count
from lesionseg.postprocessing.fitting import FittedPostprocessing, FittingSettings, fit_postprocessing
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta
from lesionseg.postprocessing.run_length import RunLengthMask

START = Postprocessing(threshold=0.5)
SETTINGS: dict[str, Any] = {
    "fit": True,
    "thresholds": [0.3, 0.4, 0.5, 0.6],
    "views": ["flips", "turns"],
    "largest_component": True,
    "fill_holes": True,
    "min_gain": 0.001,
}
Images = list[np.ndarray]


def lesion() -> np.ndarray:
    """A square of 6 x 6 in 10 x 10."""
    mask = np.zeros((10, 10), np.uint8)
    mask[2:8, 2:8] = 1
    return mask


def fitted(maps: Images | dict[str, Images], *, start: Postprocessing = START, **changes: Any) -> FittedPostprocessing:
    by_views = maps if isinstance(maps, dict) else dict.fromkeys(("none", "flips", "turns"), maps)
    truths = [RunLengthMask.of(lesion()) for _ in by_views["none"]]

    def probabilities(views: Tta) -> Any:
        return np.stack(by_views[views]).astype(np.float32)

    return fit_postprocessing(
        start, FittingSettings(**(SETTINGS | changes)), truths, probabilities, standard_formulas()
    )


def test_nothing_is_kept_where_nothing_helps() -> None:
    found = fitted([lesion() * 0.9] * 3)
    assert found.postprocessing == START
    assert [trial.option for trial in found.trials] == [
        "views",
        "views",
        "threshold",
        "largest_component",
        "fill_holes",
    ]
    assert not any(trial.kept for trial in found.trials)
    assert found.images == 3


def test_a_threshold_that_finds_more_of_the_lesion_is_kept() -> None:
    maps = lesion() * 0.55
    maps[2:5, 2:8] = 0.45
    found = fitted([maps])
    assert found.postprocessing == Postprocessing(threshold=0.3)  # as good as 0.4, and the first of equals
    (trial,) = (trial for trial in found.trials if trial.option == "threshold")
    assert (trial.without.value, trial.without.jaccard, trial.without.dice) == (0.5, 0.5, pytest.approx(2 / 3))
    assert [(tried.value, tried.jaccard) for tried in trial.tried] == [(0.3, 1), (0.4, 1), (0.6, 0)]


def test_a_speck_is_taken_out_and_a_hole_is_filled() -> None:
    maps = lesion() * 0.9
    maps[0, 0] = 0.9
    maps[4, 4] = 0.1
    found = fitted([maps])
    assert found.postprocessing == Postprocessing(threshold=0.5, largest_component=True, fill_holes=True)
    by_option = {trial.option: trial for trial in found.trials}
    assert by_option["largest_component"].without.jaccard == 35 / 37
    assert by_option["largest_component"].best.jaccard == by_option["fill_holes"].without.jaccard == 35 / 36
    assert by_option["fill_holes"].best.jaccard == 1


def test_what_may_not_be_tried_is_not() -> None:
    maps = lesion() * 0.9
    maps[0, 0] = 0.9
    found = fitted([maps], largest_component=False, fill_holes=False, thresholds=[], views=[])
    assert found.postprocessing == START
    assert found.trials == []


def test_a_gain_has_to_be_larger_than_asked_for() -> None:
    maps = lesion() * 0.9
    maps[0, 0] = 0.9  # 36 of 37
    assert fitted([maps], min_gain=0.02).postprocessing.largest_component
    assert not fitted([maps], min_gain=0.03).postprocessing.largest_component


def test_turns_have_to_be_better_than_flips_by_as_much() -> None:
    bad, good, hardly_better = lesion() * 0.9, lesion() * 0.9, lesion() * 0.9
    bad[2:5], good[2, 2] = 0, 0
    assert (
        fitted({"none": [bad], "flips": [good], "turns": [hardly_better]}, min_gain=0.05).postprocessing.views
        == "flips"
    )
    assert fitted({"none": [bad], "flips": [good], "turns": [hardly_better]}).postprocessing.views == "turns"
    assert fitted({"none": [bad], "flips": [bad], "turns": [good]}, min_gain=0.05).postprocessing.views == "turns"


def test_the_mean_is_over_images_as_the_challenge_has_it() -> None:
    missed = np.zeros((10, 10))
    found = fitted([lesion() * 0.9, missed])
    assert found.trials[0].without.jaccard == 0.5


def test_what_is_configured_is_where_the_search_starts() -> None:
    start = Postprocessing(threshold=0.35, views="flips", fill_holes=True)
    found = fitted([lesion() * 0.9], start=start)
    assert found.postprocessing == start
    assert [trial.option for trial in found.trials] == ["views", "threshold", "largest_component"]
    assert [tried.value for tried in found.trials[0].tried] == ["turns"]


def test_images_are_scored_at_their_own_size() -> None:
    large = np.kron(lesion(), np.ones((7, 9), np.uint8))
    truths = [RunLengthMask.of(large)]
    sharp = np.kron(lesion() * 0.9, np.ones((4, 4)))[None].astype(np.float32)
    found = fit_postprocessing(START, FittingSettings(**SETTINGS), truths, lambda views: sharp, standard_formulas())
    assert found.trials[0].without.jaccard > 0.95


def test_the_record_is_of_plain_values() -> None:
    def plain(value: Any) -> bool:
        if type(value) is dict:
            return all(type(key) is str and plain(part) for key, part in value.items())
        if type(value) is list:
            return all(map(plain, value))
        return type(value) in (str, float, int, bool)

    record = fitted([lesion() * 0.9]).record()
    assert plain(record)
    assert record["settings"] == {"threshold": 0.5, "views": "none", "largest_component": False, "fill_holes": False}
    assert record["trials"][0]["tried"][0]["value"] == record["trials"][0]["best"] == "flips"


def test_scores_and_pixels_are_those_of_the_decision_at_the_truths_own_size() -> None:
    maps = lesion() * 0.55
    maps[2:5, 2:8] = 0.45  # half of the lesion, which the threshold of 0.3 finds
    found = fitted([maps, lesion() * 0.1])
    assert found.postprocessing.threshold == 0.3
    assert found.scores["jaccard"] == found.scores["dice"] == 0.5  # one image is right, in the other nothing is found
    assert found.scores["pooled_jaccard"] == 36 / 72
    assert found.counts == (36, 0, 36, 128)
    assert found.record()["scores"] == found.scores


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (17, 23)])
@pytest.mark.parametrize(("lesion", "found"), [(0.5, 0.5), (0.1, 0.9), (0.9, 0.1), (0, 0.5), (0.5, 0), (1, 1), (0, 0)])
def test_pixels_are_counted_as_they_are_one_by_one(shape: tuple[int, int], lesion: float, found: float) -> None:
    generator = np.random.default_rng(0)
    target = (generator.random(shape) < lesion).astype(np.uint8)
    prediction = (generator.random(shape) < found).astype(np.uint8)
    assert RunLengthMask.of(prediction).counts(RunLengthMask.of(target)) == count(prediction, target)


def test_everything_wrong_is_listed_at_once() -> None:
    with pytest.raises(InputError) as caught:
        FittingSettings(**(SETTINGS | {"thresholds": [0.4, 1.0, float("nan")], "views": ["none"], "min_gain": -1}))
    assert str(caught.value).splitlines()[1:] == [
        "  - postprocessing.thresholds has 1.0; allowed: between 0 and 1",
        "  - postprocessing.thresholds has nan; allowed: between 0 and 1",
        "  - postprocessing.views has none; allowed: flips, turns, sizes",
        "  - postprocessing.min_gain is -1; allowed: 0 to below 1",
    ]


def test_nothing_at_all_may_be_tried() -> None:
    FittingSettings(**(SETTINGS | {"thresholds": [], "views": [], "largest_component": False, "fill_holes": False}))
