"""Evaluations read from their folders."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from lesionseg.config.old_names import current_settings
from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.statistics import mean_intervals
from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import recorded_definitions, scale_ends
from lesionseg.metrics.formula import Definition

SUMMARY = "summary.json"
PER_IMAGE = "per_image.csv"
FEWEST = 2

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Run:
    """One evaluation.

    Attributes:
        folder: Folder of the evaluation.
        name: Name of the method.
        facts: What was evaluated and how, see `lesionseg.evaluation.summary.Summary`.
        config: Configuration of the training; None for masks of unknown origin.
        test_set_sha256: SHA-256 of the images.
        definitions: Definitions of the metrics as an evaluation records them.
        targets: Fingerprint of each image's ground truth by id, sorted by id.
        scores: Scores (metrics, images) in the orders of `metrics` and `targets`.
        diagonal: Mean diagonal of the images in pixels.
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
        """Definition by metric, in the order of tables."""
        return recorded_definitions(self.definitions)

    def of(self, metric: str) -> Array:
        """Returns the score of each image: (images,)."""
        scores: Array = self.scores[list(self.metrics).index(metric)]
        return scores


def read_runs(paths: Sequence[str]) -> list[Run]:
    """Reads the evaluations at or below the paths, each once.

    Raises:
        InputError: A path holds none, a file is unreadable or there are fewer than two; lists every fault.
    """
    folders: dict[Path, Path] = {}
    runs, faults = [], []
    for path in map(Path, paths):
        found = _folders(path)
        folders |= {folder.resolve(): folder for folder in found if folder.resolve() not in folders}
        if not found:
            lack = f"holds no {SUMMARY}, nor does any folder below it" if path.exists() else "does not exist"
            faults.append(f"{path} {lack}")
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
    targets, scores, diagonal = _read_per_image(folder / PER_IMAGE, names)
    return Run(folder=folder, targets=targets, scores=scores, diagonal=diagonal, **attributes)


def shared_metrics(runs: Sequence[Run]) -> list[Run]:
    """Returns the runs with only the metrics that all of them have, in the order of the first."""
    names = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    return [_only(run, names) for run in runs]


def metric_faults(cfg: DictConfig, others: str, measured: Sequence[str]) -> list[str]:
    """Lists unknown metrics in `cfg.metric` and in the list under the key `others`."""
    chosen = [("metric", cfg.metric), *((others, name) for name in cfg[others])]
    return [f"{key} is {name}; allowed: {', '.join(measured)}" for key, name in chosen if name not in measured]


def estimates(scores: Array, runs: Sequence[Run], *, resamples: int, seed: int) -> dict[str, Estimate]:
    """Computes the mean of each metric over images with its 95 % interval, see `mean_intervals`.

    Args:
        scores: Scores (metrics, images), which may be averages over the runs.
        runs: Runs whose metrics and mean diagonal give the ends of the scales.
        resamples: Number of resamples.
        seed: Seed of the resamples.
    """
    definitions = runs[0].metrics
    diagonal = float(np.average([run.diagonal for run in runs], weights=[len(run.targets) for run in runs]))
    intervals = mean_intervals(scores, ends=scale_ends(definitions, diagonal), resamples=resamples, seed=seed)
    rows = zip(definitions, scores, intervals, strict=True)
    return {name: Estimate(float(row.mean()), *(interval or (None, None))) for name, row, interval in rows}


def _only(run: Run, names: Sequence[str]) -> Run:
    scores = np.stack([run.of(name) for name in names])
    metrics = {name: run.definitions["metrics"][name] for name in names}
    return replace(run, scores=scores, definitions={**run.definitions, "metrics": metrics})


def _read_per_image(path: Path, metrics: Sequence[str]) -> tuple[dict[str, str], Array, float]:
    """Reads the targets' fingerprints by id, the scores (metrics, images), both sorted by id, and the mean diagonal."""
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


def _folders(path: Path) -> list[Path]:
    """Returns the path itself if it is an evaluation, else every evaluation below it, sorted."""
    if (path / SUMMARY).is_file():
        return [path]
    return sorted(file.parent for file in path.rglob(SUMMARY)) if path.is_dir() else []
