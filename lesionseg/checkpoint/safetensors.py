"""Weights that are handed over: a safetensors file with their configuration as JSON metadata, and no pickle.

The metadata have two entries: `lesionseg`, the JSON text of the checkpoint's contents but for tensors and the state of
the training, and `crc32`, a checksum of that text and all tensors, which the format itself does not have.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from zlib_ng import zlib_ng

from lesionseg.checkpoint.layout import AVERAGED, LIGHTNING_VERSION, SEGMENTER_PREFIX
from lesionseg.checkpoint.pickle_scan import check_values
from lesionseg.errors import InputError, first_line
from lesionseg.system.files import whole_file

SUFFIX = ".safetensors"
KEY, CHECKSUM = "lesionseg", "crc32"
"""Names of the metadata entries."""
DESCRIPTORS = "descriptors"
"""Name of the tensor that holds the descriptors of the training and validation images."""
KEPT = ("lesionseg", "epoch", "global_step", LIGHTNING_VERSION)
LARGEST_HEADER = 64 * 2**20
"""Bytes of the header; that of a training on ten thousand images takes about three million."""


def write_safetensors(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Writes the segmenter of a checkpoint with its configuration, whole or not at all, over any file that is there."""
    from safetensors.torch import save

    contents = {key: checkpoint[key] for key in KEPT} | ({AVERAGED: None} if AVERAGED in checkpoint else {})
    state = checkpoint["state_dict"].items()
    tensors = {name: tensor for name, tensor in state if name.startswith(SEGMENTER_PREFIX)}
    if (descriptors := contents["lesionseg"].get(DESCRIPTORS)) is not None:
        contents["lesionseg"] = contents["lesionseg"] | {DESCRIPTORS: {"ids": descriptors["ids"]}}
        tensors[DESCRIPTORS] = descriptors["values"]
    # Copied, since safetensors takes neither tensors that share memory nor channels_last.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(contents, separators=(",", ":"))
    with whole_file(path) as file:
        file.write(save(tensors, {KEY: text, CHECKSUM: _checksum(text, tensors)}))


def read_safetensors(path: Path) -> dict[str, Any]:
    """Reads weights with their configuration as a checkpoint without the state of a training, which the caller checks.

    Raises:
        InputError: The file is damaged or absurdly large, or lesionseg did not write it.
    """
    _check_header(path)
    text, checksum, tensors = _opened(path)
    if checksum != _checksum(text, tensors):
        raise InputError("it is damaged (its checksum does not fit); copy or download it again")
    try:
        contents = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of thousands of digits
        raise InputError(f"its metadata '{KEY}' are no JSON ({error})") from error
    check_values([contents])
    if not isinstance(contents, dict):
        return {}
    record = contents.get("lesionseg")
    if isinstance(record, dict) and isinstance(record.get(DESCRIPTORS), dict) and DESCRIPTORS in tensors:
        record[DESCRIPTORS]["values"] = tensors.pop(DESCRIPTORS)
    return contents | {"state_dict": tensors}


def _check_header(path: Path) -> None:
    """Checks the size of the header, which safetensors parses whole."""
    with path.open("rb") as file:
        start = file.read(8)
    if len(start) < 8 or struct.unpack("<Q", start)[0] > LARGEST_HEADER:
        raise InputError(f"it is no safetensors file, or its header takes more than {LARGEST_HEADER} bytes")


def _opened(path: Path) -> tuple[str, str, dict[str, Tensor]]:
    """Opens a file; tensors refer to its bytes, which safetensors has found to lie side by side within it."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
    except Exception as error:  # safetensors' errors, and torch's for types that it lacks
        raise InputError(f"safetensors refuses it ({first_line(error)})") from error
    if KEY not in metadata:
        raise InputError(f"it has no metadata '{KEY}', so that lesionseg did not write it")
    return metadata[KEY], metadata.get(CHECKSUM, ""), tensors


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Computes a checksum of all that matters in a file, independent of the order of its tensors."""
    checksum = zlib_ng.crc32(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        checksum = zlib_ng.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), checksum)
        if tensor.numel():
            checksum = zlib_ng.crc32(tensor.reshape(-1).view(torch.uint8).numpy(), checksum)
    return f"{checksum:08x}"
