"""Two processes on one machine: the numbers of one, each image once, and one folder."""

import csv
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer
from omegaconf import OmegaConf

from lesionseg.checkpoint.layout import segmenter_state
from lesionseg.checkpoint.reading import read
from lesionseg.config.build import build
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.system.run_folder import read_record
from lesionseg.training.building import build_module
from lesionseg.training.module import SegmentationModule

RunVerb = Callable[..., subprocess.CompletedProcess[str]]

SMOKE = ["experiment=smoke", "data.train=16", "data.validation=7", "data.test=5", "batch_size=4", "image_size=32"]
SMOKE += ["evaluation.resamples=100", "trainer.precision=32-true"]
SMOKE += [f"callbacks.{name}=null" for name in ("curves", "confusion_matrix", "sample_masks")]


def images_of(report: Path) -> list[dict[str, str]]:
    with (report / "per_image.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(path: Path) -> dict[str, float]:
    contents: dict[str, float] = json.loads(path.read_text())
    return contents


@pytest.fixture(scope="module")
def trained(run_verb: RunVerb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a training of two processes was started; its run is in `run`."""
    folder = tmp_path_factory.mktemp("two")
    done = run_verb(folder, "train", *SMOKE, "trainer=ddp_cpu", "hydra.run.dir=run", "resume=auto")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_training_of_two_processes_leaves_what_one_does(trained: Path) -> None:
    left = {path.name for path in (trained / "run").iterdir()}
    assert {"config.yaml", "metrics.json", "report.html", "checkpoints", "hydra", "csv", "tensorboard"} <= left
    assert [path.name for path in trained.iterdir()] == ["run"]
    events = (trained / "run" / "tensorboard").glob("events*")
    assert len({path.name.split(".")[-2] for path in events}) == 1  # the number of the process that wrote them
    record = read_record(trained / "run")
    assert record is not None
    assert record.state == "finished"


def test_every_image_counts_once_though_the_parts_do_not_divide_by_two(trained: Path) -> None:
    assert len({row["id"] for row in images_of(trained / "run")}) == len(images_of(trained / "run")) == 5
    assert numbers(trained / "run" / "decision.json")["images"] == 7


def test_two_processes_score_a_model_as_one_does(run_verb: RunVerb, trained: Path) -> None:
    results = {}
    for trainer in ("cpu", "ddp_cpu"):
        words = ["checkpoint=run/checkpoints/best.ckpt", "trainer.precision=32-true", f"trainer={trainer}"]
        done = run_verb(trained, "evaluate", *words, f"hydra.run.dir={trainer}")
        assert done.returncode == 0, done.stderr
        results[trainer] = images_of(trained / trainer)
    assert results["cpu"] == results["ddp_cpu"]


def test_the_validation_of_training_is_that_of_one_process(trained: Path) -> None:
    """The epoch of the best checkpoint was validated by two processes; one validates the same weights."""
    checkpoint = read(trained / "run" / "checkpoints" / "best.ckpt")
    logged = checkpoint["lesionseg"]["metrics"]
    module, data = of_one_process(checkpoint)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    (alone,) = trainer.validate(module, data, verbose=False)
    names = [name for name in alone if name.startswith("val/")]
    assert {"val/dice", "val/loss", "val/pooled_jaccard"} <= set(names)
    assert {name: logged[name] for name in names} == pytest.approx({name: alone[name] for name in names}, abs=1e-6)


def of_one_process(checkpoint: dict[str, Any]) -> tuple[SegmentationModule, LesionDataModule]:
    """Builds what is validated, with a checkpoint's weights, from its own settings."""
    cfg = OmegaConf.create(checkpoint["lesionseg"]["config"])
    module = build_module(cfg, {})
    module.segmenter.load_state_dict(segmenter_state(checkpoint))
    settings = {"image_size": cfg.image_size, "batch_size": cfg.batch_size, "num_workers": 0, "seed": cfg.seed}
    return module, LesionDataModule(build("data", cfg.data), **settings, augment=None)


def test_a_stopped_training_of_two_processes_goes_on(
    run_verb: RunVerb, python: str, trained: Path, tmp_path: Path
) -> None:
    words = [
        *SMOKE,
        "trainer=ddp_cpu",
        "hydra.run.dir=run",
        "resume=auto",
        "trainer.max_epochs=2",
    ]
    command = [python, "-m", "lesionseg.train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch   1"):
                process.send_signal(signal.SIGKILL)
                break
    assert not (tmp_path / "run" / "metrics.json").exists()
    resumed = run_verb(tmp_path, "train", *words)
    assert resumed.returncode == 0, resumed.stderr
    best, whole = (read(folder / "run" / "checkpoints" / "best.ckpt") for folder in (tmp_path, trained))
    assert best["lesionseg"]["metrics"] == whole["lesionseg"]["metrics"]
