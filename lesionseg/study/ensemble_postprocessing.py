"""One post-processing for several networks whose own ones differ."""

from collections.abc import Sequence
from statistics import median
from typing import get_args

from lesionseg.postprocessing.postprocessing import Postprocessing, Views

IN_WORDS = "median of the members' thresholds; of views and changes of regions, what most members have"


def consensus(members: Sequence[Postprocessing]) -> Postprocessing:
    """Takes the median threshold, and of everything else what most have; of equals what does less.

    Nothing is fitted again: there are no images that none of the members was trained on.

    Args:
        members: Post-processing of each member, at least one.
    """
    views = [member.views for member in members]
    half = len(members) / 2
    return Postprocessing(
        threshold=float(median(member.threshold for member in members)),
        views=max(get_args(Views), key=views.count),  # the first of equals
        largest_component=sum(member.largest_component for member in members) > half,
        fill_holes=sum(member.fill_holes for member in members) > half,
    )
