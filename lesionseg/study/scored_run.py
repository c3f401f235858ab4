"""One evaluation as it lies on the disk, and finding evaluations below folders."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.config.old_names import current_settings
from lesionseg.errors import InputError, raise_all
from lesionseg.metrics.definitions import recorded_definitions
from lesionseg.metrics.formula import Definition

SUMMARY = "summary.json"
PER_IMAGE = "per_image.csv"
FEWEST = 2
MISSING = "does not exist"

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Run:
    """One evaluation.

    Attributes:
        folder: Where it lies.
        name: What people call its method.
        facts: What was evaluated and how, see `lesionseg.evaluation.summary.Summary`.
        config: The training configuration; None for masks of unknown origin.
        test_set_sha256: SHA-256 of the images it was scored on.
        definitions: What its numbers mean.
        targets: Fingerprint of each image's ground truth by the image's id, sorted by id.
        scores: (metrics, images) in the orders of `metrics` and `targets`.
        diagonal: Mean of the images', in pixels.
    """

    folder: Path
    name: str
    facts: Mapping[str, str]
    config: Mapping[str, Any] | None
    test_set_sha256: str
    definitions: Mapping[str, Any]
    targets: Mapping[str, str]
    scores: Array
    diagonal: float

    @property
    def metrics(self) -> dict[str, Definition]:
        """What was measured, by name, in the order of tables."""
        return recorded_definitions(self.definitions)

    def of(self, metric: str) -> Array:
        """Returns each image's score of one metric: (images,)."""
        scores: Array = self.scores[list(self.metrics).index(metric)]
        return scores


def read_runs(paths: Sequence[str]) -> list[Run]:
    """Reads every evaluation at or below the paths, each once however often it is named.

    Raises:
        InputError: A path holds none, a file is unreadable or there are fewer than two runs; lists every fault.
    """
    folders: dict[Path, Path] = {}
    runs, faults = [], []
    for path in map(Path, paths):
        found = _folders(path)
        folders |= {folder.resolve(): folder for folder in found if folder.resolve() not in folders}
        if not found:
            faults.append(f"{path} {f'holds no {SUMMARY}, nor does any folder below it' if path.exists() else MISSING}")
    for folder in folders.values():
        try:
            runs.append(read_run(folder))
        except InputError as error:
            faults.append(str(error))
    if not faults and len(runs) < FEWEST:
        faults.append(f"{len(runs)} evaluation given; comparing takes at least {FEWEST}")
    raise_all(f"The runs cannot be read; each is a folder with {SUMMARY} and {PER_IMAGE}:", faults)
    return runs


def read_run(folder: Path) -> Run:
    """Reads one evaluation.

    Raises:
        InputError: A file is missing or is not what an evaluation writes.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        attributes = {key: summary[key] for key in ("name", "facts", "config", "test_set_sha256", "definitions")}
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / SUMMARY} cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / SUMMARY} is no evaluation's summary: {error} is missing") from error
    try:
        names = list(recorded_definitions(attributes["definitions"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / SUMMARY} does not define its metrics; evaluate again with this version") from error
    if attributes["config"] is not None:
        attributes["config"] = current_settings(attributes["config"])
    targets, scores, diagonal = read_per_image(folder / PER_IMAGE, names)
    return Run(folder=folder, targets=targets, scores=scores, diagonal=diagonal, **attributes)


def shared_metrics(runs: Sequence[Run]) -> list[Run]:
    """Leaves to each run the metrics that all runs have, in the order of the first."""
    names = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    return [_only(run, names) for run in runs]


def _only(run: Run, names: Sequence[str]) -> Run:
    scores = np.stack([run.of(name) for name in names])
    metrics = {name: run.definitions["metrics"][name] for name in names}
    return replace(run, scores=scores, definitions={**run.definitions, "metrics": metrics})


def read_per_image(path: Path, metrics: Sequence[str]) -> tuple[dict[str, str], Array, float]:
    """Reads the targets' fingerprints by id and the (metrics, images) scores, both sorted by id, and the mean diagonal.

    Raises:
        InputError: The file is missing or empty, lacks a column, repeats an id or holds something but finite numbers.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
        targets = {row["id"]: row["target_sha256"] for row in rows}
        scores = np.array([[float(row[name]) for row in rows] for name in metrics])
        diagonals = [np.hypot(float(row["height"]), float(row["width"])) for row in rows]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except KeyError as error:
        raise InputError(f"{path} has no column {error}; evaluate again with this version") from error
    except (TypeError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if not rows or len(targets) < len(rows) or not np.isfinite(scores).all():
        raise InputError(f"{path} is damaged: it has no rows, an id twice, or a score that is no finite number")
    return targets, scores, float(np.mean(diagonals))


def mean_diagonal(runs: Sequence[Run]) -> float:
    """Averages the diagonals of all runs' images, in pixels."""
    return float(np.average([run.diagonal for run in runs], weights=[len(run.targets) for run in runs]))


def _folders(path: Path) -> list[Path]:
    """Returns the path itself if it is an evaluation, else every evaluation below it in the order of their names."""
    if (path / SUMMARY).is_file():
        return [path]
    return sorted(file.parent for file in path.rglob(SUMMARY)) if path.is_dir() else []
