"""The one safe way to read a checkpoint or weights that are handed over; see SECURITY.md."""

from pathlib import Path
from typing import Any

import torch

from lesionseg.checkpoint.layout import check_contents
from lesionseg.checkpoint.pickle_scan import check_pickle
from lesionseg.checkpoint.safetensors import SUFFIX, read_safetensors
from lesionseg.checkpoint.zip_archive import open_archive
from lesionseg.config.old_names import current_settings
from lesionseg.errors import InputError, first_line

TORCH_EXPORT = ".pt2"


def read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint (`.ckpt`) or weights (`.safetensors`) onto the CPU without running any code from the file.

    A checkpoint is compared with what `torch.save` writes before `torch.load` sees it: first the zip file with all its
    checksums, then what the pickle asks for. The contents of either kind of file are checked in the same way.

    Returns:
        The contents, see `lesionseg.checkpoint.layout`; those of weights have no state of a training.

    Raises:
        InputError: The file is missing, damaged, not of lesionseg, or holds more than plain values and tensors.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    if path.suffix == TORCH_EXPORT:
        raise InputError(
            f"{path}: {TORCH_EXPORT} files are for PyTorch without lesionseg, which cannot open them safely; give the "
            "model as .onnx, .xml (OpenVINO), .safetensors or .ckpt"
        )
    try:
        checkpoint = read_safetensors(path) if path.suffix == SUFFIX else _read_pickled(path)
        check_contents(checkpoint)
    except InputError as error:
        raise InputError(f"{path}: cannot be opened: {error}") from error
    checkpoint["lesionseg"]["config"] = current_settings(checkpoint["lesionseg"]["config"])
    return checkpoint


def _read_pickled(path: Path) -> dict[str, Any]:
    archive = open_archive(path)
    check_pickle(archive.pickle, archive.storages)
    try:
        # mmap reads only the tensors that are used: a checkpoint also holds the optimizer's.
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load raises many types for a damaged file
        raise InputError(f"torch.load refuses it ({first_line(error)})") from error
    return checkpoint
