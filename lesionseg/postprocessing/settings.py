"""The settings of fitting a decision; their values and reasons stand in `conf/train.yaml`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lesionseg.errors import raise_all


@dataclass(frozen=True, kw_only=True)
class FittingSettings:
    """What may be tried, after training, on the validation part.

    Attributes:
        fit: Whether anything is tried.
        thresholds: Each in (0, 1); none leaves the threshold as it is.
        views: Test-time augmentations, each tried on top of what was kept before; see `lesionseg.model.tta`.
        largest_component: Whether keeping the largest region alone is tried.
        fill_holes: Whether filling holes is tried.
        min_gain: An option is kept if it raises the mean Jaccard index by more than this, 0 to below 1.

    Raises:
        InputError: Lists every number that is out of its range, and every view that there is not.
    """

    fit: bool
    thresholds: list[float]
    views: list[Literal["flips", "turns", "sizes"]]
    largest_component: bool
    fill_holes: bool
    min_gain: float

    def __post_init__(self) -> None:
        """Checks numbers and words."""
        raise_all("The settings of decision have faults:", list(self._faults()))

    def _faults(self) -> Iterator[str]:
        for threshold in self.thresholds:
            if not 0 < threshold < 1:
                yield f"decision.thresholds has {threshold}; allowed: between 0 and 1"
        for view in self.views:
            if view not in ("flips", "turns", "sizes"):
                yield f"decision.views has {view}; allowed: flips, turns, sizes"
        if not 0 <= self.min_gain < 1:
            yield f"decision.min_gain is {self.min_gain}; allowed: 0 to below 1"
