from typing import Any

import pytest

from lesionseg.errors import InputError
from lesionseg.postprocessing.settings import FittingSettings

USUAL: dict[str, Any] = {
    "fit": True,
    "thresholds": [0.4],
    "views": ["flips"],
    "largest_component": True,
    "fill_holes": True,
    "min_gain": 0.001,
}


def test_everything_wrong_is_listed_at_once() -> None:
    with pytest.raises(InputError) as caught:
        FittingSettings(**(USUAL | {"thresholds": [0.4, 1.0, float("nan")], "views": ["none"], "min_gain": -1}))
    assert str(caught.value).splitlines()[1:] == [
        "  - decision.thresholds has 1.0; allowed: between 0 and 1",
        "  - decision.thresholds has nan; allowed: between 0 and 1",
        "  - decision.views has none; allowed: flips, turns, sizes",
        "  - decision.min_gain is -1; allowed: 0 to below 1",
    ]


def test_nothing_at_all_may_be_tried() -> None:
    FittingSettings(**(USUAL | {"thresholds": [], "views": [], "largest_component": False, "fill_holes": False}))
