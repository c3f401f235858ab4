"""Exporting a checkpoint to a file that has been compared with it."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.config.build import build
from lesionseg.data.source import Sample
from lesionseg.data.split import other_samples, own_samples
from lesionseg.data.synthetic import trains_on_drawn_images
from lesionseg.errors import InputError, raise_all
from lesionseg.exporting.comparing import at_network_size, at_own_size, difference, mean_dice, photographs
from lesionseg.exporting.deployed import Deployed, OwnTorchExport, collect_facts, exported, write_torch_export
from lesionseg.exporting.facts import EmbeddedFacts, Precision
from lesionseg.exporting.opening import ExportedEngine, open_exported
from lesionseg.model.engine import NEVER_SAW_A_PHOTOGRAPH

SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2", "openvino": ".xml"}
NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "onnx": {"export": ("onnx", "onnxscript", "onnxruntime")},
    "torch_export": {},
    "openvino": {"export": ("onnx", "onnxscript"), "openvino": ("openvino",)},
}
"""Extras of lesionseg that each format needs, with their modules; OpenVINO converts from ONNX."""

Numbers = dict[str, float]


class DisagreementError(Exception):
    """The exported file does not compute what the checkpoint does; no file was left behind."""


def export_checkpoint(cfg: DictConfig) -> Numbers:
    """Writes, opens and compares the file that `cfg` asks for, and prints what was found; see `lesionseg.export`.

    Raises:
        InputError: As there.
        DisagreementError: The file differs from the checkpoint by more than `cfg` tolerates.
    """
    raise_all("The settings have faults:", list(_faults(cfg)))
    target = _target(cfg)
    checkpoint = read(Path(cfg.checkpoint))
    deployed = Deployed(segmenter_of(checkpoint), checkpoint["lesionseg"]["config"]["image_size"])
    export = _Export(cfg, checkpoint, deployed)
    samples = export.calibration_and_validation() if cfg.int8 else None
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the target's own folder: nothing but a file that was compared ever gets its name.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
        file, engine = export.written(Path(folder))
        numbers = export.compared(engine)
        if samples is not None:
            file, losses = export.quantised(file, *samples)
            numbers |= losses
        _move(file, target)
    for file in _files_of(target)[::-1]:
        print(f"{'Wrote' if file == target else 'with '} {file} ({file.stat().st_size / 2**20:.1f} MiB)", flush=True)
    if trains_on_drawn_images(checkpoint["lesionseg"]["config"].get("data")):
        print(NEVER_SAW_A_PHOTOGRAPH)
    return numbers


def _faults(cfg: DictConfig) -> Iterator[str]:
    """Finds everything wrong that can be told without opening the checkpoint."""
    if cfg.format not in SUFFIXES:
        yield f"format is {cfg.format}; allowed: {', '.join(SUFFIXES)}"
    if cfg.int8 and cfg.format != "onnx":
        yield f"int8=true goes with format=onnx only, not with format={cfg.format}"
    if cfg.fp16 and cfg.format != "openvino":
        yield f"fp16=true goes with format=openvino only, not with format={cfg.format}"
    for extra, modules in NEEDED.get(cfg.format, {}).items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            yield f"format={cfg.format} needs {', '.join(missing)}: pip install 'lesionseg[{extra}]'"


def _target(cfg: DictConfig) -> Path:
    """Returns the file to write, if it has its format's suffix and replaces none that is to be kept."""
    suffix, checkpoint = SUFFIXES[cfg.format], Path(cfg.checkpoint)
    beside = checkpoint.with_name(f"{checkpoint.stem}{'_int8' if cfg.int8 else ''}{suffix}")
    target = beside if cfg.output is None else Path(cfg.output)
    if target.suffix != suffix:
        raise InputError(f"output={target}: format={cfg.format} is written to a file named *{suffix}")
    for file in _files_of(target):
        if file.exists() and not cfg.overwrite:
            raise InputError(f"{file} is there already; give output=FILE, or overwrite=true to replace it")
    return target


def _files_of(target: Path) -> list[Path]:
    """Lists the files of an export; a file that refers to another comes last."""
    return [target.with_suffix(".bin"), target] if target.suffix == ".xml" else [target]


@dataclass(frozen=True)
class _Export:
    """A checkpoint that is being exported."""

    cfg: DictConfig
    checkpoint: Mapping[str, Any]
    deployed: Deployed

    def written(self, folder: Path) -> tuple[Path, ExportedEngine]:
        """Writes the file in floating point, and opens it."""
        program, facts = exported(self.deployed), self._facts("fp16" if self.cfg.fp16 else "fp32")
        file = folder / f"model{SUFFIXES[self.cfg.format]}"
        if self.cfg.format == "torch_export":
            write_torch_export(program, facts, file)
            return file, OwnTorchExport(file, facts)
        # Each import needs libraries that only this format needs.
        if self.cfg.format == "onnx":
            from lesionseg.exporting.onnx_writing import write_onnx

            write_onnx(program, facts, file)
        else:
            from lesionseg.exporting.openvino import write_openvino

            write_openvino(program, facts, file)
        return file, open_exported(file, device="cpu")

    def compared(self, engine: ExportedEngine) -> Numbers:
        """Compares the file with the checkpoint on real images, at the network's size and at their own."""
        folder = None if self.cfg.images is None else Path(self.cfg.images)
        origin, images = photographs(folder, self.checkpoint, self.cfg.compare_images)
        size = self.deployed.image_size
        small = difference(engine, self.deployed, [at_network_size(images, size)])
        own = difference(engine, self.deployed, list(at_own_size(images)))
        print(f"\nCompared with PyTorch in float32 on {origin} ({engine.device}):")
        for title, found in ((f"at the network's {size} x {size} pixels", small), ("at their own size", own)):
            print(f"  {title}: largest difference of a probability {found.probability:.1e}, of masks {found.mask:.4%}")
        largest, tolerance = max(small.probability, own.probability), self.cfg.tolerance
        if not largest <= tolerance:
            raise DisagreementError(f"the file differs from the checkpoint by {largest:.1e}; tolerance={tolerance:g}")
        if engine.facts.postprocessing.changes_regions:
            print("  largest_component and fill_holes are not in the file's own mask; lesionseg.predict does them")
        return {"largest_difference": largest, "differing_mask_share": max(small.mask, own.mask)}

    def calibration_and_validation(self) -> tuple[list[Sample], list[Sample]]:
        """Lists training images, evenly spread, to set scales by, and validation images to measure the loss on."""
        try:
            training, validation = self._samples("train"), self._samples("validation")
        except InputError as error:
            raise InputError(
                f"int8=true needs training images for its scales and validation images to measure what it loses: "
                f"{error}\nGive data=... data.root=FOLDER to say where they are"
            ) from error
        if not training or not validation:
            raise InputError("int8=true needs training and validation images; the data have none of one of them")
        step = max(1, len(training) // self.cfg.calibration_images)
        return training[::step][: self.cfg.calibration_images], validation

    def quantised(self, file: Path, calibration: list[Sample], validation: list[Sample]) -> tuple[Path, Numbers]:
        """Writes the file in 8 bits and measures what that costs."""
        from lesionseg.exporting.onnx_writing import quantise

        path, tolerance = file.with_name("int8.onnx"), self.cfg.int8_tolerance
        quantise(file, calibration, self._facts("int8"), path)
        before, after = (mean_dice(open_exported(each, device="cpu"), validation) for each in (file, path))
        print(f"\nQuantised to int8 with {len(calibration)} training images; {len(validation)} validation images:")
        print(f"  mean Dice {before:.4f} in float32, {after:.4f} in int8: a loss of {before - after:.4f}")
        if not before - after <= tolerance:
            raise DisagreementError(f"int8 loses {before - after:.4f} Dice; int8_tolerance={tolerance:g}")
        return path, {"dice_before": before, "dice_after": after}

    def _facts(self, precision: Precision) -> EmbeddedFacts:
        return collect_facts(
            self.checkpoint,
            Path(self.cfg.checkpoint),
            postprocessing=self.deployed.segmenter.postprocessing,
            precision=precision,
            licence=self.cfg.licence,
            intended_use=self.cfg.intended_use,
        )

    def _samples(self, subset: str) -> list[Sample]:
        record = self.checkpoint["lesionseg"]
        if self.cfg.data is None:
            return own_samples(source_of(self.checkpoint), subset, record["split"])
        return other_samples(build("data", self.cfg.data), subset, record["config"]["image_size"])


def _move(file: Path, target: Path) -> None:
    """Gives the files their final names, once they are on the disk."""
    for source, destination in zip(_files_of(file), _files_of(target), strict=True):
        with source.open("rb") as opened:
            os.fsync(opened.fileno())
        os.replace(source, destination)
