"""Evaluation of trainings on images that they have not seen."""

import contextlib
import io
from pathlib import Path
from typing import Any

import hydra
import numpy as np
from omegaconf import DictConfig, OmegaConf

from lesionseg.checkpoint.engine import CheckpointEngine
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.config.command_line import quoted
from lesionseg.data.masks import encode_grey_png
from lesionseg.data.split import own_samples
from lesionseg.study.crossval_plan import Training
from lesionseg.study.scored_run import SUMMARY, Run, read_run
from lesionseg.system.files import whole_file
from lesionseg.training.testing import score_checkpoint

OUT_OF_FOLD = "out_of_fold"
"""Folder in a training's folder with the evaluation of its validation subset."""
ENSEMBLE = "ensemble"
"""Folder in the cross-validation's folder with the test of the ensemble."""
SAME = ("evaluation", "metrics", "batch_size", "num_workers")
"""Keys whose values scoring takes from the trainings."""


def score_out_of_fold(training: Training, composed: DictConfig) -> Run:
    """Scores a finished training on its validation subset, unless its checkpoint has been scored.

    Postprocessing is as configured, because fitted postprocessing was chosen on these very images.

    Args:
        training: Finished training.
        composed: Configuration of a training, whose settings of device and evaluation are used.

    Raises:
        InputError: The checkpoint or the data are gone.
    """
    return _scored(training.checkpoint, training.folder / OUT_OF_FOLD, composed, "validation", postprocessing="plain")


def score_test(checkpoint: Path, folder: Path, composed: DictConfig) -> Run:
    """Scores a checkpoint on its test subset with the postprocessing that it holds, unless it has been scored."""
    return _scored(checkpoint, folder, composed, "test", postprocessing="stored")


def tested(training: Training) -> Run | None:
    """Reads a training's own test; None without a test subset."""
    return read_run(training.folder) if (training.folder / SUMMARY).is_file() else None


def write_masks(training: Training, folder: Path, composed: DictConfig) -> None:
    """Writes the masks of a training's validation subset as `<folder>/<id>.png`, with postprocessing as configured.

    Each mask has its ground truth's size; 255 is lesion, 0 is skin.
    """
    checkpoint = read(training.checkpoint)
    device = "cpu" if composed.trainer.accelerator == "cpu" else "auto"
    engine = CheckpointEngine(training.checkpoint, device=device, precision="auto")
    engine.segmenter.postprocessing = postprocessing = segmenter_of(checkpoint, plain=True).postprocessing
    for sample in own_samples(source_of(checkpoint), "validation", checkpoint["lesionseg"]["split"]):
        image = sample.read_resized(engine.facts.image_size).image
        probability = engine.probability(np.ascontiguousarray(image[None]))[0]
        height, width = sample.mask().shape
        with whole_file(folder / f"{sample.id}.png") as file:
            file.write(encode_grey_png(postprocessing.mask(probability, (height, width)).pixels()))


def is_newer(path: Path, *others: Path) -> bool:
    """Tells whether a file exists and was written after all the others."""
    return path.is_file() and all(path.stat().st_mtime_ns >= other.stat().st_mtime_ns for other in others)


def _scored(checkpoint: Path, folder: Path, composed: DictConfig, subset: str, *, postprocessing: str) -> Run:
    """Evaluates a checkpoint without printing, because many tables would hide the one that counts."""
    if not is_newer(folder / SUMMARY, checkpoint):
        words = [f"checkpoint={quoted(str(checkpoint))}", f"run_dir={quoted(str(folder))}", f"part={subset}"]
        cfg = hydra.compose("evaluate", overrides=[*words, f"postprocessing={postprocessing}"])
        settings: Any = OmegaConf.to_container(composed, resolve=True)
        for name in SAME:
            cfg[name] = settings[name]
        cfg.trainer.accelerator, cfg.trainer.precision = composed.trainer.accelerator, composed.trainer.precision
        with contextlib.redirect_stdout(io.StringIO()):
            score_checkpoint(cfg)
    return read_run(folder)
