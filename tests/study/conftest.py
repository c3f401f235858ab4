"""Checkpoints to make ensembles of, evaluations written by hand, and folders as sweeps leave them."""

import copy
import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lesionseg.checkpoint.reading import read
from lesionseg.metrics.definitions import definitions_of, definitions_record, standard_formulas
from lesionseg.study.crossval_plan import Training
from lesionseg.study.scored_run import Run
from lesionseg.study.sweep import Sweep, read_sweep
from lesionseg.system.run_folder import RunRecord, write_record

MakeJob = Callable[..., Path]
MakeSweep = Callable[..., Sweep]
START = "2030-01-01T10:00:00+00:00"
METRICS = definitions_of(standard_formulas())
WriteRun = Callable[..., Path]
COUNTS = ("height", "width", "true_positives", "false_positives", "false_negatives", "true_negatives")
RunOf = Callable[..., Run]
TrainingOf = Callable[..., Training]


@pytest.fixture(scope="session")
def members(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three checkpoints that differ in their weights, as three folds would be; not to be written to."""
    folder = tmp_path_factory.mktemp("members")
    original = read(smoke_run / "checkpoints" / "best.ckpt")
    ids = sorted(id_ for part in ("train", "validation") for id_ in original["lesionseg"]["split"]["parts"][part])
    return [_fold(original, fold, ids, folder / f"fold_{fold}.ckpt") for fold in range(3)]


def _fold(original: Mapping[str, Any], fold: int, ids: Sequence[str], path: Path) -> Path:
    checkpoint = copy.deepcopy(dict(original))
    generator = torch.Generator().manual_seed(fold)
    for name, tensor in checkpoint["state_dict"].items():
        if name.endswith("weight") and ".network." in name:
            tensor += 0.1 * tensor.std() * torch.randn(tensor.shape, generator=generator)
    record = checkpoint["lesionseg"]
    record["config"]["data"] |= {"fold": fold, "folds": 3}
    record["split"]["parts"] |= {"train": [id_ for id_ in ids if id_ not in ids[fold::3]], "validation": ids[fold::3]}
    settings = {"threshold": (0.3, 0.6, 0.4)[fold], "views": "none", "largest_component": fold > 0, "fill_holes": False}
    record["decision"] = {"settings": settings, "images": 8}
    torch.save(checkpoint, path)
    return path


@pytest.fixture(scope="session")
def run_of() -> RunOf:
    """Makes an evaluation with these Jaccard indices by id; all other scores are the same: `run_of({"a": 0.5})`."""

    def make(jaccard: Mapping[str, float], folder: Path = Path("nowhere")) -> Run:
        definitions = definitions_record(standard_formulas(), boundary_tolerance=0.75)
        scores = np.array([[jaccard[id_] for id_ in sorted(jaccard)]] * len(METRICS))
        targets = {id_: f"truth of {id_}" for id_ in sorted(jaccard)}
        return Run(folder, "method", {}, {"seed": 4}, "sha", definitions, targets, scores, 1_000.0)

    return make


@pytest.fixture(scope="session")
def training_of() -> TrainingOf:
    """Makes a training that nobody runs: `training_of(fold=0)`."""

    def make(*, fold: int | None = None, seed: int | None = None) -> Training:
        names = [f"{noun}_{number}" for noun, number in (("fold", fold), ("seed", seed)) if number is not None]
        return Training(Path("nowhere") / "_".join(names), fold, seed, [])

    return make


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
            "definitions": definitions_record(standard_formulas(), boundary_tolerance=tolerance),
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


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Writes a job's folder: `make_job(0, ["seed=1"], {"val/dice": 0.9})`; returns it."""

    def make(
        name: int | str,
        overrides: Sequence[str] = (),
        results: Mapping[str, float] | None = None,
        *,
        mode: str = "max",
        **record: Any,
    ) -> Path:
        folder = tmp_path / str(name)
        (folder / "hydra").mkdir(parents=True)
        (folder / "hydra" / "overrides.yaml").write_text("\n".join(f"- {word}" for word in overrides))
        (folder / "hydra" / "config.yaml").write_text(f"monitor: val/dice\nmonitor_mode: {mode}\n")
        usual: dict[str, Any] = {"state": "finished", "started": START, "ended": "2030-01-01T10:01:30+00:00"}
        write_record(folder, RunRecord(**(usual | record), overrides=list(overrides), results=dict(results or {})))
        return folder

    return make


@pytest.fixture
def make_sweep(make_job: MakeJob, tmp_path: Path) -> MakeSweep:
    """Writes a job for each dictionary of settings and value (None: it failed), and reads the sweep."""

    def make(settings: Sequence[Mapping[str, object]], values: Sequence[float | None], *, mode: str = "max") -> Sweep:
        for number, (setting, value) in enumerate(zip(settings, values, strict=True)):
            words = [f"{key}={text}" for key, text in setting.items()]
            if value is None:
                make_job(number, words, mode=mode, state="failed", reason="no luck")
            else:
                make_job(number, words, {"val/dice": value}, mode=mode)
        return read_sweep(tmp_path)

    return make
