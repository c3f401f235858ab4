"""The settings of an evaluation; their values and units stand in `conf/evaluation/default.yaml`."""

from dataclasses import dataclass
from pathlib import Path

from lesionseg.errors import raise_all


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How masks are scored and reported.

    Attributes:
        resamples: Of each interval, at least 100.
        seed: Of the intervals, 0 to 2^32 - 1; the same one gives the same intervals.
        boundary_tolerance: Distance in % of the image's diagonal up to which outline points agree, above 0.
        metadata: A CSV file with a row for each image, whose columns become strata; None for none.
        metadata_id: Its column with the image's id.
        metadata_columns: The columns to use; None for all that divide the images into a few groups.
        picture_size: Longer side of the report's pictures in pixels; 0 for outlines without photographs.
        worst: Number of worst cases in TensorBoard.

    Raises:
        InputError: A number is out of its range.
    """

    resamples: int
    seed: int
    boundary_tolerance: float
    metadata: Path | str | None
    metadata_id: str
    metadata_columns: list[str] | None
    picture_size: int
    worst: int

    def __post_init__(self) -> None:
        """Checks the numbers; touches no file."""
        lowest = {"resamples": 100, "seed": 0, "picture_size": 0, "worst": 0}
        faults = [
            f"evaluation.{name} is {getattr(self, name)}; allowed: at least {low}"
            for name, low in lowest.items()
            if getattr(self, name) < low
        ]
        if not 0 < self.boundary_tolerance <= 100:
            faults.append(f"evaluation.boundary_tolerance is {self.boundary_tolerance}; allowed: above 0, at most 100")
        raise_all("The evaluation's settings have faults:", faults)
