"""One decision for several networks whose own ones differ."""

from collections.abc import Sequence
from statistics import median
from typing import get_args

from lesionseg.postprocessing.postprocessing import Decision, Views

IN_WORDS = "median of the members' thresholds; of views and changes of regions, what most members have"


def consensus(decisions: Sequence[Decision]) -> Decision:
    """Takes the median threshold, and of everything else what most have; of equals what does less.

    Nothing is fitted again: there are no images that none of the members was trained on.

    Args:
        decisions: At least one.
    """
    views = [decision.views for decision in decisions]
    half = len(decisions) / 2
    return Decision(
        threshold=float(median(decision.threshold for decision in decisions)),
        views=max(get_args(Views), key=views.count),  # the first of equals
        largest_component=sum(decision.largest_component for decision in decisions) > half,
        fill_holes=sum(decision.fill_holes for decision in decisions) > half,
    )
