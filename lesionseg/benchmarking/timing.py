"""The clock: rounds in which everything takes its turn."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Stage = Literal["loader", "training", "inference", "folder"]
STAGES: tuple[Stage, ...] = ("loader", "training", "inference", "folder")
Clock = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """What is measured, in words."""

    stage: Stage
    way: str
    """Way of doing the stage's work, for example `compiled`; ways of one name are compared between subjects."""
    subject: str
    detail: str
    """Settings that the speed depends on, for example `bf16, batch 8`."""
    is_limit: bool = False
    """Whether it is only a part of the stage's work that nothing can do without."""


def nothing() -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Work:
    """Something that can be done again and again."""

    row: Row
    images: int
    """That one call gets through."""
    call: Callable[[], object]
    before: Callable[[], object] = nothing
    """Called before each round's measurement, off the clock."""
    finish: Callable[[], object] = nothing
    """Called when a measurement ends, on the clock: waits for a device that works behind the caller's back."""


@dataclass(frozen=True)
class Speed:
    """What was found."""

    row: Row
    rates: Sequence[float]
    """Images a second, one a round; none where it cannot be measured."""
    missing: str | None = None
    """Why it cannot be measured, and what to do about it."""


def measure(
    items: Sequence[Work | Speed], *, rounds: int, seconds: float, clock: Clock = time.perf_counter
) -> list[Speed]:
    """Measures each work once a round, in turn, so that a busy machine slows all alike.

    Before the first round, each is called once to warm up and once to see how many calls take about `seconds`; every
    round then makes as many.

    Args:
        items: In the order of the results; what is known already is handed through.
        rounds: At least 1.
        seconds: Above 0; a work whose single call takes longer is called once a round.
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


def _calls_for(work: Work, seconds: float, clock: Clock) -> int:
    _duration(work, 1, clock)
    return max(1, math.ceil(seconds / _duration(work, 1, clock)))


def _duration(work: Work, calls: int, clock: Clock) -> float:
    """Takes the time of some calls, in seconds."""
    work.before()
    start = clock()
    for _ in range(calls):
        work.call()
    work.finish()
    return clock() - start
