"""Evaluations as they lie on the disk, written by hand rather than by the code that reads them."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lesionseg.metrics.definitions import METRICS, definitions

WriteRun = Callable[..., Path]

COUNTS = ("height", "width", "true_positives", "false_positives", "false_negatives", "true_negatives")


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes an evaluation with these Jaccard indices: `write_run("a", [0.5, 0.9], config=...)`.

    All other scores but the failure rate equal the Jaccard index. Images are called `i0`, `i1` and so on, or `ids`.
    """

    def write(
        folder: str,
        jaccard: Sequence[float],
        *,
        name: str | None = None,
        ids: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
        facts: Mapping[str, str] | None = None,
        tolerance: float = 0.75,
        truth: str = "t",
        test_set: str | None = None,
    ) -> Path:
        ids = ids or [f"i{number}" for number in range(len(jaccard))]
        place = tmp_path / folder
        place.mkdir(parents=True)
        summary = {
            "name": name or place.name,
            "facts": dict(facts or {}),
            "images": len(ids),
            "test_set_sha256": test_set or f"{truth}:{'/'.join(sorted(ids))}",
            "definitions": definitions(tolerance),
            "config": config,
        }
        (place / "summary.json").write_text(json.dumps(summary))
        with (place / "per_image.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            extra = ["missed", "target_sha256", "trait:hair", "stratum:size"]
            writer.writerow(["id", *COUNTS, *METRICS, *extra])
            for id_, value in zip(ids, jaccard, strict=True):
                scores = dict.fromkeys(METRICS, value) | {"failure": float(value < 0.65)}
                writer.writerow([id_, *[1] * len(COUNTS), *scores.values(), 0, f"{truth} {id_}", "", "small"])
        return place

    return write


@pytest.fixture(scope="session")
def training() -> Callable[..., dict[str, Any]]:
    """A training configuration with changes by dotted name: `training(seed=1, **{"model.depth": 5})`."""

    def configuration(**changes: Any) -> dict[str, Any]:
        config: dict[str, Any] = {
            "seed": 0,
            "name": "train",
            "run_dir": "logs/1",
            "num_workers": 2,
            "data": {"root": "images", "fold": None, "split_seed": 0},
            "model": {"_target_": "lesionseg.model.unet.UNet", "depth": 4, "base_channels": 32},
            "callbacks": {"checkpoint": {"dirpath": "logs/1/checkpoints"}, "ema": {"decay": 0.99}},
            "trainer": {"max_epochs": 12, "default_root_dir": "logs/1"},
        }
        for name, value in changes.items():
            *places, last = name.split(".")
            node = config
            for place in places:
                node = node[place]
            node[last] = value
        return config

    return configuration
