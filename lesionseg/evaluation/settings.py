"""Settings of an evaluation; `conf/evaluation/default.yaml` has their values and units."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Settings of scoring and reporting masks; `lesionseg.config.value_checks` has their ranges."""

    resamples: int  # of each interval
    seed: int  # of the intervals
    boundary_tolerance: float  # % of the image's diagonal up to which outline points agree
    metadata: Path | str | None  # CSV file with a row for each image, whose columns become strata
    metadata_id: str  # column of the table with the image's id
    metadata_columns: list[str] | None  # None for all that divide the images into a few groups
    picture_size: int  # longer side of the report's pictures in pixels; 0 for outlines without photographs
    worst: int  # number of worst cases in TensorBoard
