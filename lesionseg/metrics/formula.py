"""Formulas of pixel counts, the same for training, folders of masks, intervals and reports."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np


@dataclass(frozen=True)
class Definition:
    """Name, unit and direction of one score of an image; evaluations average it over images."""

    title: str
    unit: str
    """Empty (a share, 0 to 1), `px` or `%` (of the image's diagonal, for boundary scores)."""
    higher_is_better: bool
    meaning: str
    """The formula and its value at 0 / 0, in a sentence."""
    lowest: float = 0.0
    """Least value an image can have."""

    @property
    def heading(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float, *, sign: str = "") -> str:
        """Rounds a value for tables; `sign="+"` also writes a plus."""
        return f"{value:{sign}.{2 if self.unit else 4}f}"

    def interval(self, low: float | None, high: float | None, *, sign: str = "") -> str:
        """Rounds an interval for tables; a dash stands for None, which one image gives."""
        return "-" if low is None or high is None else f"{self.text(low, sign=sign)} to {self.text(high, sign=sign)}"


class Counts(NamedTuple):
    """Pixel counts; positive means lesion. Each is an int for one image, or an array or tensor (N,) for N images."""

    true_positives: Any
    false_positives: Any
    false_negatives: Any
    true_negatives: Any

    @classmethod
    def of(cls, *, both: Any, predicted: Any, lesion: Any, pixels: int) -> Self:
        """Derives the counts from the areas of the overlap, the prediction, the ground truth and the image."""
        return cls(both, predicted - both, lesion - both, pixels - predicted - lesion + both)


class Formula(ABC):
    """A score of a mask, computed from its pixel counts.

    A metric of one's own is a subclass of this class, or of `Fraction`, in a file of its own, and a YAML that names it.
    It needs no torch: `score` only uses operators, which work on ints, arrays and tensors alike. `Definition` explains
    most of the attributes.
    """

    title: str
    meaning: str
    unit: str = ""
    higher_is_better: bool | None = True
    """None for what is no score, such as a matrix."""
    lowest: float = 0.0
    is_pooled: bool = False
    """Whether the formula is applied to the sum of all images' counts and not to each image."""

    @abstractmethod
    def score(self, counts: Counts) -> Any:
        """Computes a float for ints, float64 (N,) for arrays and float32 (N,) for tensors."""

    @property
    def definition(self) -> Definition:
        """Description of the score in reports."""
        return Definition(self.title, self.unit, bool(self.higher_is_better), self.meaning, self.lowest)


class Fraction(Formula):
    """A quotient of counts; evaluations also report it pooled over the pixels of all images."""

    @abstractmethod
    def fraction(self, counts: Counts) -> tuple[Any, Any]:
        """Returns numerator and denominator; the numerator must be 0 wherever the denominator is."""

    def undefined(self, counts: Counts) -> Any:
        """Returns the score where the denominator is 0."""
        return 1.0

    def score(self, counts: Counts) -> Any:
        """Divides numerator by denominator, without a division by 0."""
        numerator, denominator = self.fraction(counts)
        is_zero = denominator == 0
        return numerator / (denominator + is_zero) + self.undefined(counts) * is_zero


def image_scores(formulas: Mapping[str, Formula], counts: Counts) -> dict[str, float]:
    """Computes the score of one image by every formula that is not pooled."""
    return {name: float(formula.score(counts)) for name, formula in formulas.items() if not formula.is_pooled}


def mean_scores(formulas: Mapping[str, Formula], images: Sequence[Counts]) -> dict[str, float]:
    """Averages each score over at least one image; a pooled one is computed from their summed counts."""
    scores = {name: formula for name, formula in formulas.items() if formula.higher_is_better is not None}
    pooled = total(images)
    return {
        name: float(formula.score(pooled) if formula.is_pooled else np.mean([formula.score(one) for one in images]))
        for name, formula in scores.items()
    }


def total(images: Iterable[Counts]) -> Counts:
    """Sums the counts of images."""
    return Counts(*(sum(column) for column in zip(*images, strict=True)))
