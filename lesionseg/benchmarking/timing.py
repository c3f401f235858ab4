"""Timing in rounds in which every work takes its turn, and what the rounds say together."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lesionseg import errors

Stage = Literal["loader", "training", "inference", "folder"]
STAGES: tuple[Stage, ...] = ("loader", "training", "inference", "folder")
Clock = Callable[[], float]


class NotMeasurableError(Exception):
    """A measurement is impossible; the message says why and, if possible, what to do about it."""


@dataclass(frozen=True)
class Row:
    """Description of a measurement.

    Attributes:
        stage: Stage that the work belongs to.
        way: Way of doing it, for example `compiled`; subjects are compared in each way.
        subject: Name of the network or the data.
        detail: Settings that the speed depends on, for example `bf16, batch 8`.
        is_limit: Whether this is a part of the stage's work that no implementation can avoid.
    """

    stage: Stage
    way: str
    subject: str
    detail: str
    is_limit: bool = False


@dataclass(frozen=True)
class Work:
    """Work that can be repeated.

    Attributes:
        row: Its words.
        images: Number of images of one call.
        call: The work.
        before: Called before each round, off the clock.
        finish: Called after the last call of a round, on the clock, to wait for a device that works asynchronously.
    """

    row: Row
    images: int
    call: Callable[[], object]
    before: Callable[[], object] = lambda: None
    finish: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    lower_quartile: float
    upper_quartile: float


@dataclass(frozen=True)
class Speed:
    """Result of a measurement.

    Attributes:
        row: What was measured.
        rates: Images a second of each round; empty if it cannot be measured.
        missing: Why it cannot be measured, and what to do about it.
    """

    row: Row
    rates: Sequence[float]
    missing: str | None = None

    @property
    def spread(self) -> Spread | None:
        """Spread of the rates; None if there are none."""
        return spread_of(self.rates) if self.rates else None


def measure(
    items: Sequence[Work | Speed], *, rounds: int, seconds: float, clock: Clock = time.perf_counter
) -> list[Speed]:
    """Measures each work once a round, in turn, so that a busy machine slows all alike.

    Before the first round, each work is called once to warm up, and once to find out how many calls take about
    `seconds`: every round makes as many, at least one.

    Args:
        items: Works; what is a `Speed` already is passed through.
        rounds: At least 1.
        seconds: Above 0.
        clock: Tells seconds.
    """
    works = [item for item in items if isinstance(item, Work)]
    calls = [_calls_for(work, seconds, clock) for work in works]
    rates: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, count, found in zip(works, calls, rates, strict=True):
            found.append(count * work.images / _duration(work, count, clock))
    measured = iter([Speed(work.row, found) for work, found in zip(works, rates, strict=True)])
    return [next(measured) if isinstance(item, Work) else item for item in items]


def spread_of(values: Sequence[float]) -> Spread:
    """Returns median and quartiles of at least one value, interpolated (type 7 of Hyndman & Fan, numpy's default)."""
    lower, median, upper = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return Spread(median=median, lower_quartile=lower, upper_quartile=upper)


def paired_ratio(values: Sequence[float], references: Sequence[float]) -> float:
    """Returns the median of the rounds' ratios, which a slow round does not change if it slows both."""
    return float(np.median(np.asarray(values) / np.asarray(references)))


def first_line(error: BaseException) -> str:
    """Returns the first line of the innermost error, because compilers wrap errors in advice for their developers."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = inner
    return errors.first_line(error)


def _calls_for(work: Work, seconds: float, clock: Clock) -> int:
    _duration(work, 1, clock)
    return max(1, math.ceil(seconds / _duration(work, 1, clock)))


def _duration(work: Work, calls: int, clock: Clock) -> float:
    """Times some calls in seconds."""
    work.before()
    start = clock()
    for _ in range(calls):
        work.call()
    work.finish()
    return clock() - start
