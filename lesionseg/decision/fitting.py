"""Fitting a decision: which threshold, views and changes of regions pay on images that were not trained on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.decision.decision import Decision, Views
from lesionseg.decision.settings import FittingSettings
from lesionseg.decision.temperature import NEUTRAL
from lesionseg.decision.truth import Truth
from lesionseg.evaluation.image_scores import Counts
from lesionseg.evaluation.overlap import overlap_scores

Maps = NDArray[np.float32]
"""Probabilities of all images at the network's size, (images, S, S) in [0, 1]."""


@dataclass(frozen=True)
class Candidate:
    """One value of an option; scores are means over images, each at its ground truth's own size."""

    value: Any
    jaccard: float
    dice: float


@dataclass(frozen=True)
class Trial:
    """One option, tried on top of what had been kept before.

    Attributes:
        option: A field of `Decision`.
        without: The value that it had.
        tried: The others, in the order given.
        kept: Whether the best of them stays.
    """

    option: str
    without: Candidate
    tried: Sequence[Candidate]
    kept: bool

    @property
    def best(self) -> Candidate:
        """The candidate with the highest mean Jaccard index, the first of equals."""
        return max(self.tried, key=lambda candidate: candidate.jaccard)


@dataclass(frozen=True)
class FittedDecision:
    """A decision, and why it is this one."""

    decision: Decision
    images: int
    """So many it was fitted on."""
    min_gain: float
    trials: Sequence[Trial]
    scores: Mapping[str, float]
    """Of these images with the decision, each at its ground truth's own size, by the names that training logs."""
    counts: Counts
    """Pixels of all these images likewise."""
    image_counts: Sequence[Counts] = ()
    """Pixels of each of them, in their order; no file has these."""
    temperature: float = NEUTRAL
    """By which the probabilities are too sure, see `lesionseg.decision.temperature`; no mask depends on it."""

    def record(self) -> dict[str, Any]:
        """Returns plain values for files: `settings` of the decision, and all else by its own name."""
        trials = [{**asdict(trial), "best": trial.best.value} for trial in self.trials]
        return {
            "settings": self.decision.settings(),
            "images": self.images,
            "min_gain": self.min_gain,
            "trials": [{**trial, "tried": list(trial["tried"])} for trial in trials],
            "scores": dict(self.scores),
            "temperature": self.temperature,
        }


def fit_decision(
    start: Decision, settings: FittingSettings, truths: Sequence[Truth], probabilities: Callable[[Views], Maps]
) -> FittedDecision:
    """Adds options to a decision, one after another in the order of its steps, as long as they pay.

    An option pays if it raises the mean Jaccard index, computed for each image as the ISIC challenge does, by more than
    `min_gain`: each of them is a chance to fit noise, and views cost time. A greedy search tries the few decisions that
    a person would, instead of all combinations, of which the best looks better than it is.

    Args:
        start: The decision as configured.
        settings: What may be tried.
        truths: Of the validation part, at least one.
        probabilities: Predicts the same images in the same order; called once or twice for each of the views.
    """

    @cache
    def scores(decision: Decision) -> tuple[float, float]:
        return mean_scores(decision, probabilities(decision.views), truths)

    decision, trials = start, []
    for option, values in _options(start, settings):
        trial = _trial(decision, option, values, settings.min_gain, scores)
        trials.append(trial)
        if trial.kept:
            decision = replace(decision, **{option: trial.best.value})
    means, counts = validation_scores(decision, probabilities(decision.views), truths)
    return FittedDecision(decision, len(truths), settings.min_gain, trials, means, _summed(counts), image_counts=counts)


def mean_scores(decision: Decision, probabilities: Maps, truths: Sequence[Truth]) -> tuple[float, float]:
    """Returns the means over images of Jaccard index and Dice, each image at its ground truth's own size."""
    means, _ = validation_scores(decision, probabilities, truths)
    return means["jaccard"], means["dice"]


def validation_scores(
    decision: Decision, probabilities: Maps, truths: Sequence[Truth]
) -> tuple[dict[str, float], list[Counts]]:
    """Returns the means over images of every overlap score, and each image's pixels, at its ground truth's own size."""
    counts = [
        truth.counts(decision.runs(probability, truth.shape))
        for probability, truth in zip(probabilities, truths, strict=True)
    ]
    found = [overlap_scores(one) for one in counts]
    means = {name: float(np.mean([scores[name] for scores in found])) for name in found[0] if name != "failure"}
    pooled = overlap_scores(_summed(counts))
    return means | {f"pooled_{name}": pooled[name] for name in ("dice", "jaccard")}, counts


def _summed(counts: Sequence[Counts]) -> Counts:
    return Counts(*(sum(column) for column in zip(*counts, strict=True)))


def _options(start: Decision, settings: FittingSettings) -> Iterator[tuple[str, Sequence[Any]]]:
    """Lists what is to be tried, but for what the decision has already.

    Each of the views is an option of its own: sizes have to beat flips by `min_gain`, too, for the time they take.
    """
    options: list[tuple[str, Sequence[Any]]] = [("views", [views]) for views in settings.views]
    options += [("threshold", settings.thresholds)]
    options += [(name, [True]) for name in ("largest_component", "fill_holes") if getattr(settings, name)]
    for option, values in options:
        others = [value for value in values if value != getattr(start, option)]
        if others:
            yield option, others


def _trial(
    decision: Decision,
    option: str,
    values: Sequence[Any],
    min_gain: float,
    scores: Callable[[Decision], tuple[float, float]],
) -> Trial:
    """Tries the values of one option."""
    without = Candidate(getattr(decision, option), *scores(decision))
    tried = tuple(Candidate(value, *scores(replace(decision, **{option: value}))) for value in values)
    gain = max(candidate.jaccard for candidate in tried) - without.jaccard
    return Trial(option, without, tried, gain > min_gain)
