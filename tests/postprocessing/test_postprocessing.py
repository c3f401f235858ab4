from typing import Any

import numpy as np
import pytest

from lesionseg.postprocessing.postprocessing import Postprocessing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0.0; allowed: between 0 and 1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"views": "all"}, "views is all; allowed: none, flips, turns"),
        ({"largest_component": 1}, "largest_component is 1; allowed: true, false"),
        ({"fill_holes": "no"}, "fill_holes is no"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Postprocessing(**({"threshold": 0.5} | change))


def test_it_is_described_in_one_line() -> None:
    assert Postprocessing(threshold=0.5).in_words() == (
        "lesion is where the probability, resized to the ground truth's size, is above 0.5"
    )
    assert Postprocessing(threshold=0.45, views="flips", largest_component=True, fill_holes=True).in_words() == (
        "lesion is where the mean probability of the image and its three flips, resized to the ground truth's size, "
        "is above 0.45; only the largest region is kept; holes are filled"
    )


def test_a_mask_of_pixels_and_one_of_runs_are_changed_alike() -> None:
    probability = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    postprocessing = Postprocessing(threshold=0.4, largest_component=True, fill_holes=True)
    mask = postprocessing.regions_of(probability > np.float32(0.4))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, postprocessing.mask(probability, (30, 30)).pixels() > 0)


def test_a_mask_is_not_copied_where_there_is_nothing_to_do() -> None:
    mask = np.ones((3, 3), bool)
    assert Postprocessing(threshold=0.5).regions_of(mask) is mask
