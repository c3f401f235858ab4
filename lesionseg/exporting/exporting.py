"""Exporting a checkpoint to a file that has been compared with it."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.config.build import build
from lesionseg.data.source import Sample
from lesionseg.data.split import other_samples, own_samples
from lesionseg.data.synthetic import trains_on_drawn_images
from lesionseg.errors import InputError
from lesionseg.exporting.comparing import at_network_size, at_own_size, difference, photographs
from lesionseg.exporting.deployed import Deployed, exported
from lesionseg.exporting.facts import EmbeddedFacts, Precision, collect_facts
from lesionseg.exporting.opening import ExportedEngine, open_exported
from lesionseg.exporting.settings import SUFFIXES, check_settings, files_of, precision_of, target_of
from lesionseg.model.engine import NEVER_SAW_A_PHOTOGRAPH

Numbers = dict[str, float]


class DisagreementError(Exception):
    """The exported file does not compute what the checkpoint does; no file was left behind."""


@dataclass(frozen=True)
class Model:
    """A checkpoint that is being exported."""

    path: Path
    checkpoint: Mapping[str, Any]
    deployed: Deployed

    def facts(self, cfg: DictConfig, precision: Precision) -> EmbeddedFacts:
        """Returns the metadata of a file in a number format."""
        return collect_facts(
            self.checkpoint,
            self.path,
            postprocessing=self.deployed.segmenter.postprocessing,
            precision=precision,
            licence=cfg.licence,
            intended_use=cfg.intended_use,
        )


def export_checkpoint(cfg: DictConfig) -> Numbers:
    """Writes, opens and compares the file that `cfg` asks for, see `conf/export.yaml`; prints what was found.

    Returns:
        `largest_difference` of a probability and `differing_mask_share` of the pixels, both 0 to 1; of int8 also
        `dice_before` and `dice_after` on the validation subset.

    Raises:
        InputError: A setting or the checkpoint is wrong, something is not installed, the file is there already, or the
            data that int8 needs are not at hand.
        DisagreementError: The file differs from the checkpoint by more than `cfg` tolerates.
    """
    check_settings(cfg)
    path, target = Path(cfg.checkpoint), target_of(cfg)
    checkpoint = read(path)
    model = Model(path, checkpoint, Deployed(segmenter_of(checkpoint), checkpoint["lesionseg"]["config"]["image_size"]))
    samples = _calibration_and_validation(cfg, checkpoint) if cfg.int8 else None
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the target's own folder: nothing but a file that was compared ever gets its name.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
        file, engine = _written(cfg, model, Path(folder))
        numbers = _compared(cfg, model, engine)
        if samples is not None:
            file, losses = _quantised(cfg, model, file, *samples)
            numbers |= losses
        _move(file, target)
    for file in files_of(target)[::-1]:
        print(f"{'Wrote' if file == target else 'with '} {file} ({file.stat().st_size / 2**20:.1f} MiB)", flush=True)
    if trains_on_drawn_images(checkpoint["lesionseg"]["config"].get("data")):
        print(NEVER_SAW_A_PHOTOGRAPH)
    return numbers


def _written(cfg: DictConfig, model: Model, folder: Path) -> tuple[Path, ExportedEngine]:
    """Writes the file in floating point, and opens it."""
    program, precision = exported(model.deployed), precision_of(cfg)
    facts = model.facts(cfg, "fp32" if precision == "int8" else precision)
    file = folder / f"model{SUFFIXES[cfg.format]}"
    # Each import needs libraries that only this format needs.
    if cfg.format == "torch_export":
        from lesionseg.exporting.torch_export import OwnTorchExport, write_torch_export

        write_torch_export(program, facts, file)
        return file, OwnTorchExport(file, facts)
    if cfg.format == "onnx":
        from lesionseg.exporting.onnx import write_onnx

        write_onnx(program, facts, file)
    else:
        from lesionseg.exporting.openvino import write_openvino

        write_openvino(program, facts, file)
    return file, open_exported(file, device="cpu")


def _compared(cfg: DictConfig, model: Model, engine: ExportedEngine) -> Numbers:
    """Compares the file with the checkpoint on real images, at the network's size and at their own."""
    folder = None if cfg.images is None else Path(cfg.images)
    origin, images = photographs(folder, model.checkpoint, cfg.compare_images)
    size = model.deployed.image_size
    small = difference(engine, model.deployed, [at_network_size(images, size)])
    own = difference(engine, model.deployed, list(at_own_size(images)))
    print(f"\nCompared with PyTorch in float32 on {origin} ({engine.device}):")
    for title, found in ((f"at the network's {size} x {size} pixels", small), ("at their own size", own)):
        print(f"  {title}: largest difference of a probability {found.probability:.1e}, of masks {found.mask:.4%}")
    largest = max(small.probability, own.probability)
    if not largest <= cfg.tolerance:
        raise DisagreementError(f"the file differs from the checkpoint by {largest:.1e}; tolerance={cfg.tolerance:g}")
    if engine.facts.postprocessing.changes_regions:
        print("  largest_component and fill_holes are not in the file's own mask; lesionseg.predict does them")
    return {"largest_difference": largest, "differing_mask_share": max(small.mask, own.mask)}


def _calibration_and_validation(cfg: DictConfig, checkpoint: Mapping[str, Any]) -> tuple[list[Sample], list[Sample]]:
    """Lists training images, evenly spread, to set scales by, and validation images to measure the loss on."""
    try:
        training, validation = (_samples(cfg, checkpoint, part) for part in ("train", "validation"))
    except InputError as error:
        raise InputError(
            f"int8=true needs training images for its scales and validation images to measure what it loses: {error}\n"
            "Give data=... data.root=FOLDER to say where they are"
        ) from error
    if not training or not validation:
        raise InputError("int8=true needs training and validation images; the data have none of one of them")
    step = max(1, len(training) // cfg.calibration_images)
    return training[::step][: cfg.calibration_images], validation


def _samples(cfg: DictConfig, checkpoint: Mapping[str, Any], part: str) -> list[Sample]:
    record = checkpoint["lesionseg"]
    if cfg.data is None:
        return own_samples(source_of(checkpoint), part, record["split"])
    return other_samples(build("data", cfg.data), part, record["config"]["image_size"])


def _quantised(
    cfg: DictConfig, model: Model, file: Path, calibration: Sequence[Sample], validation: Sequence[Sample]
) -> tuple[Path, Numbers]:
    """Writes the file in 8 bits and measures what that costs."""
    from lesionseg.exporting.quantising import mean_dice, quantise  # of libraries that only int8 needs

    path = file.with_name("int8.onnx")
    quantise(file, calibration, model.facts(cfg, "int8"), path)
    before, after = (mean_dice(open_exported(each, device="cpu"), validation) for each in (file, path))
    print(f"\nQuantised to int8 with {len(calibration)} training images; {len(validation)} validation images:")
    print(f"  mean Dice {before:.4f} in float32, {after:.4f} in int8: a loss of {before - after:.4f}")
    if not before - after <= cfg.int8_tolerance:
        raise DisagreementError(f"int8 loses {before - after:.4f} Dice; int8_tolerance={cfg.int8_tolerance:g}")
    return path, {"dice_before": before, "dice_after": after}


def _move(file: Path, target: Path) -> None:
    """Gives the files their final names, once they are on the disk."""
    for source, destination in zip(files_of(file), files_of(target), strict=True):
        with source.open("rb") as opened:
            os.fsync(opened.fileno())
        os.replace(source, destination)
