"""What a benchmark found, as data."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from lesionseg.benchmarking.spread import Spread, paired_ratio, spread_of
from lesionseg.benchmarking.timing import Row, Speed
from lesionseg.system.machine import usable_cores, usable_memory

FORMAT = 1
"""Format of benchmark.json; another number where its layout changes."""


@dataclass(frozen=True)
class SubjectFacts:
    """What a network costs beside time."""

    name: str
    words: str
    """Number format and memory layout."""
    parameters: int
    flops: int
    """Of one image, 2 for each multiplication with its addition; see `lesionseg.benchmarking.complexity`."""
    peak_memory: int | None
    """Bytes of a training step; None where it was not measured."""
    peak_memory_missing: str | None
    """Why not."""


@dataclass(frozen=True)
class Line:
    """A measurement and what is said of it."""

    speed: Speed
    spread: Spread | None
    """Images a second; None where it could not be measured."""
    ratio: float | None
    """To the first network's speed in the same stage and way; None where there is none to compare with."""


@dataclass(frozen=True)
class Report:
    """Everything of one benchmark."""

    device: str
    """In words."""
    environment: Mapping[str, Any]
    limits: Mapping[str, Any]
    config: Mapping[str, Any]
    """The resolved configuration."""
    subjects: Sequence[SubjectFacts]
    lines: Sequence[Line]

    @property
    def first(self) -> str:
        """The network that others are compared with."""
        return self.subjects[0].name


def lines_of(speeds: Sequence[Speed], first: str) -> list[Line]:
    """Summarises measurements and compares them with the network of that name."""
    references = {(one.row.stage, one.row.way): one.rates for one in speeds if one.row.subject == first and one.rates}
    lines = []
    for speed in speeds:
        reference = references.get((speed.row.stage, speed.row.way))
        ratio = paired_ratio(speed.rates, reference) if speed.rates and reference else None
        lines.append(Line(speed, spread_of(speed.rates) if speed.rates else None, ratio))
    return lines


def limits() -> dict[str, Any]:
    """Tells what the machine grants this process, and how busy it is.

    Returns:
        `load_average` is that of the last 1, 5 and 15 minutes, None where the system does not tell.
    """
    return {
        "usable_cores": usable_cores(),
        "torch_threads": torch.get_num_threads(),
        "usable_memory_bytes": usable_memory(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def as_json(report: Report) -> dict[str, Any]:
    """Lays the report out as plain values in full precision, every round among them."""
    return {
        "format": FORMAT,
        "device": report.device,
        **report.environment,
        "limits": report.limits,
        "subjects": [asdict(subject) for subject in report.subjects],
        "speeds": [_plain(line) for line in report.lines],
        "config": report.config,
    }


def _plain(line: Line) -> dict[str, Any]:
    row: Row = line.speed.row
    spread = {"median": None, "lower_quartile": None, "upper_quartile": None}
    if line.spread is not None:
        spread = asdict(line.spread)
    found = {"rates": list(line.speed.rates), **spread, "ratio_to_first": line.ratio, "missing": line.speed.missing}
    return asdict(row) | {"unit": "images/s"} | found
