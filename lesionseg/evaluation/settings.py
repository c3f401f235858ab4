"""Settings of an evaluation, whose values and units are in `conf/evaluation/default.yaml`."""

from dataclasses import dataclass
from pathlib import Path

from lesionseg.errors import raise_all

LOWEST = {"resamples": 100, "seed": 0, "picture_size": 0, "worst": 0}


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Settings of scoring and reporting masks.

    Raises:
        InputError: A number is out of its range.
    """

    resamples: int  # of each interval
    seed: int  # of the intervals
    boundary_tolerance: float  # % of the image's diagonal up to which outline points agree, above 0
    metadata: Path | str | None  # CSV file with a row for each image, whose columns become strata
    metadata_id: str  # column of the table with the image's id
    metadata_columns: list[str] | None  # None for all that divide the images into a few groups
    picture_size: int  # longer side of the report's pictures in pixels; 0 for outlines without photographs
    worst: int  # number of worst cases in TensorBoard

    def __post_init__(self) -> None:
        """Checks the numbers."""
        faults = [
            f"evaluation.{name} is {getattr(self, name)}; allowed: at least {low}"
            for name, low in LOWEST.items()
            if getattr(self, name) < low
        ]
        if not 0 < self.boundary_tolerance <= 100:
            faults.append(f"evaluation.boundary_tolerance is {self.boundary_tolerance}; allowed: above 0, at most 100")
        raise_all("The evaluation's settings have faults:", faults)
