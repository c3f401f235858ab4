"""What an evaluation knows of one image."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Counts(NamedTuple):
    """Pixels of one image; positive means lesion."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


@dataclass(frozen=True)
class Picture:
    """What the gallery shows of one image.

    Attributes:
        width: In pixels.
        height: In pixels.
        photograph: A WebP file's bytes of (height, width), or None where there is no photograph.
        target: Outline of the ground truth as SVG path data in these pixels, `M1 2L3 4...Z`; empty for no lesion.
        prediction: Outline of the prediction likewise.
    """

    width: int
    height: int
    photograph: bytes | None
    target: str
    prediction: str


@dataclass(frozen=True)
class ImageScores:
    """One image's scores.

    Attributes:
        id: Unique within the evaluation.
        height: Of the ground truth in pixels.
        width: Of the ground truth in pixels.
        counts: Pixel counts.
        scores: By name, one for each of `lesionseg.metrics.definitions.METRICS` and in its order.
        traits: Numbers that describe the image, for example `lesion_share`; None where unknown.
        strata: Which group of each stratum the image is in, for example `{"lesion size": "small (under 5 %)"}`.
        target_sha256: Of the ground truth's size and pixels.
        picture: For the gallery; None where none was asked for.
    """

    id: str
    height: int
    width: int
    counts: Counts
    scores: dict[str, float]
    traits: dict[str, float | None] = field(default_factory=dict)
    strata: dict[str, str] = field(default_factory=dict)
    target_sha256: str = ""
    picture: Picture | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a lesion and nothing of it was found."""
        return self.counts.true_positives == 0 and self.counts.false_negatives > 0


def worst_first(images: Iterable[ImageScores]) -> list[ImageScores]:
    """Sorts by Jaccard index, the lowest first; by id where it is the same."""
    return sorted(images, key=lambda image: (image.scores["jaccard"], image.id))
