"""What was asked for, checked before any work."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig

from lesionseg.errors import InputError, raise_all

Precision = Literal["fp32", "fp16", "int8"]

SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2", "openvino": ".xml"}
NEEDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "onnx": {"export": ("onnx", "onnxscript", "onnxruntime")},
    "torch_export": {},
    "openvino": {"export": ("onnx", "onnxscript"), "openvino": ("openvino",)},
}
"""Extras of lesionseg and modules of theirs, by format; OpenVINO converts from ONNX."""


def check_settings(cfg: DictConfig) -> None:
    """Checks everything that can be told without opening the checkpoint.

    Raises:
        InputError: Lists every fault.
    """
    raise_all("The settings have faults:", list(_faults(cfg)))


def target_of(cfg: DictConfig) -> Path:
    """Returns the file to write.

    Raises:
        InputError: Its suffix is another format's, or it is there already and may not be overwritten.
    """
    suffix, checkpoint = SUFFIXES[cfg.format], Path(cfg.checkpoint)
    if cfg.output is None:
        target = checkpoint.with_name(f"{checkpoint.stem}{'_int8' if cfg.int8 else ''}{suffix}")
    else:
        target = Path(cfg.output)
    if target.suffix != suffix:
        raise InputError(f"output={target}: format={cfg.format} is written to a file named *{suffix}")
    if not cfg.overwrite:
        for file in files_of(target):
            if file.exists():
                raise InputError(f"{file} is there already; give output=FILE, or overwrite=true to replace it")
    return target


def files_of(target: Path) -> list[Path]:
    """Lists the files that an export has; the one that refers to another comes last."""
    return [target.with_suffix(".bin"), target] if target.suffix == ".xml" else [target]


def precision_of(cfg: DictConfig) -> Precision:
    """Returns the number format of the weights."""
    return "int8" if cfg.int8 else "fp16" if cfg.fp16 else "fp32"


def _faults(cfg: DictConfig) -> Iterator[str]:
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
