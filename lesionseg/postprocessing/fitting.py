"""Chooses the threshold and the other steps of post-processing that pay off on images that were not trained on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import raise_all
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.formula import Counts, Formula, mean_scores, total
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta
from lesionseg.postprocessing.run_length import RunLengthMask
from lesionseg.postprocessing.temperature import NEUTRAL

CRITERIA: Mapping[str, Formula] = {"jaccard": Jaccard(), "dice": Dice()}
"""The score that options are chosen by, and the one shown beside it."""
Maps = NDArray[np.float32]
"""Probabilities of all images at the network's size, (images, S, S) in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class FittingSettings:
    """Options of `Postprocessing` that may be tried on the validation images after training.

    Raises:
        InputError: Lists every number out of its range and every unknown test-time augmentation.
    """

    fit: bool
    """Whether anything is tried."""
    thresholds: list[float]
    """Each in (0, 1); an empty list keeps the configured one."""
    views: list[Literal["flips", "turns", "sizes"]]
    """Test-time augmentations, each tried on top of what was kept before."""
    largest_component: bool
    fill_holes: bool
    min_gain: float
    """Gain in mean Jaccard index that an option must exceed to be kept, 0 to below 1."""

    def __post_init__(self) -> None:
        """Checks the values."""
        raise_all("The settings of postprocessing have faults:", list(self._faults()))

    def _faults(self) -> Iterator[str]:
        for threshold in self.thresholds:
            if not 0 < threshold < 1:
                yield f"postprocessing.thresholds has {threshold}; allowed: between 0 and 1"
        for tta in self.views:
            if tta not in ("flips", "turns", "sizes"):
                yield f"postprocessing.views has {tta}; allowed: flips, turns, sizes"
        if not 0 <= self.min_gain < 1:
            yield f"postprocessing.min_gain is {self.min_gain}; allowed: 0 to below 1"


@dataclass(frozen=True)
class Candidate:
    """A value of an option with its mean scores over images, each at its ground truth's own size."""

    value: Any
    jaccard: float
    dice: float


@dataclass(frozen=True)
class Trial:
    """One option, tried on top of the options kept before."""

    option: str
    """Field of `Postprocessing`."""
    without: Candidate
    """The field's value before."""
    tried: Sequence[Candidate]
    kept: bool
    """Whether the best of the tried values is kept."""

    @property
    def best(self) -> Candidate:
        """The candidate with the highest mean Jaccard index, the first of equals."""
        return max(self.tried, key=lambda candidate: candidate.jaccard)


@dataclass(frozen=True)
class FittedPostprocessing:
    """Fitted post-processing with the trials that led to it."""

    postprocessing: Postprocessing
    images: int
    """Number of images that it was fitted on."""
    min_gain: float
    trials: Sequence[Trial]
    scores: Mapping[str, float]
    """Scores of these images, each at its ground truth's own size, by the names of training logs."""
    counts: Counts
    """Pixel counts summed over these images at the same sizes."""
    image_counts: Sequence[Counts] = ()
    """Pixel counts of each of these images in their order."""
    temperature: float = NEUTRAL
    """Factor by which the probabilities are too certain; masks do not depend on it."""

    def record(self) -> dict[str, Any]:
        """Returns plain values for files, without counts."""
        return {
            "settings": self.postprocessing.settings(),
            "images": self.images,
            "min_gain": self.min_gain,
            "trials": [asdict(trial) | {"best": trial.best.value} for trial in self.trials],
            "scores": dict(self.scores),
            "temperature": self.temperature,
        }


def fit_postprocessing(
    start: Postprocessing,
    settings: FittingSettings,
    truths: Sequence[RunLengthMask],
    probabilities: Callable[[Tta], Maps],
    formulas: Mapping[str, Formula],
) -> FittedPostprocessing:
    """Adds options to the configured post-processing, one after another in the order of its steps, if they pay off.

    An option pays off if it raises the mean Jaccard index, computed per image as in the ISIC challenge, by more than
    `min_gain`, because each option is a chance to fit noise, and test-time augmentation costs time. The greedy search
    tries the few combinations that a person would try; the best of all would look better than it is.

    Args:
        start: The configured post-processing.
        settings: The options to try.
        truths: Ground truths of the validation images, at least one.
        probabilities: Predicts the same images in the same order; called once or twice for each augmentation.
        formulas: What the fitted post-processing is scored by.
    """

    @cache
    def scores(postprocessing: Postprocessing) -> tuple[float, float]:
        means = mean_scores(CRITERIA, counts_of(postprocessing, probabilities(postprocessing.views), truths))
        return means["jaccard"], means["dice"]

    postprocessing, trials = start, []
    for option, values in _options(start, settings):
        trial = _trial(postprocessing, option, values, settings.min_gain, scores)
        trials.append(trial)
        if trial.kept:
            postprocessing = replace(postprocessing, **{option: trial.best.value})
    counts = counts_of(postprocessing, probabilities(postprocessing.views), truths)
    means = mean_scores(formulas, counts)
    return FittedPostprocessing(
        postprocessing, len(truths), settings.min_gain, trials, means, total(counts), image_counts=counts
    )


def counts_of(postprocessing: Postprocessing, probabilities: Maps, truths: Sequence[RunLengthMask]) -> list[Counts]:
    """Counts the pixels of each image at its ground truth's own size."""
    return [
        postprocessing.mask(probability, truth.shape).counts(truth)
        for probability, truth in zip(probabilities, truths, strict=True)
    ]


def _options(start: Postprocessing, settings: FittingSettings) -> Iterator[tuple[str, Sequence[Any]]]:
    """Lists the options to try, without values that they already have.

    Each augmentation is an option of its own, so that sizes must beat flips by `min_gain`, too, for the time they take.
    """
    options: list[tuple[str, Sequence[Any]]] = [("views", [tta]) for tta in settings.views]
    options += [("threshold", settings.thresholds)]
    options += [(name, [True]) for name in ("largest_component", "fill_holes") if getattr(settings, name)]
    for option, values in options:
        others = [value for value in values if value != getattr(start, option)]
        if others:
            yield option, others


def _trial(
    postprocessing: Postprocessing,
    option: str,
    values: Sequence[Any],
    min_gain: float,
    scores: Callable[[Postprocessing], tuple[float, float]],
) -> Trial:
    without = Candidate(getattr(postprocessing, option), *scores(postprocessing))
    tried = [Candidate(value, *scores(replace(postprocessing, **{option: value}))) for value in values]
    gain = max(candidate.jaccard for candidate in tried) - without.jaccard
    return Trial(option, without, tried, gain > min_gain)
