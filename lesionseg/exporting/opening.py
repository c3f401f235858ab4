"""Opens model files of any kind as engines with one interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError, first_line
from lesionseg.exporting.facts import DIGESTS_KEY, EXPORT_AGAIN, KEY, parse_facts
from lesionseg.model.engine import Engine
from lesionseg.system.processes import outlive_forks

EXPORTED_SUFFIXES = (".onnx", ".xml")
INPUT = "image"
"""Name of the input: (B, H, W, 3) uint8 RGB 0..255 for any B, H and W."""
OUTPUTS = ("probability", "mask")
"""Names of the outputs: (B, H, W) float32 in [0, 1], and (B, H, W) uint8, 1 above the threshold."""
LARGEST_FILE = 2**31
"""Bytes, the limit of a protobuf message such as an ONNX file; the largest U-Net here takes a tenth of it."""

Results = tuple[NDArray[np.float32], NDArray[np.uint8]]
Signature = Mapping[str, tuple[str, int]]
"""Type and number of dimensions of each input and output."""


class ExportedEngine(Engine, ABC):
    """Runs an exported file, which resizes and thresholds by itself; `embedded` is all that it says of itself.

    Raises:
        InputError: The metadata are not those of an export.
    """

    runtime: str
    """Name of the library that runs the file."""

    def __init__(self, path: Path, contents: bytes, texts: Mapping[str, str]) -> None:
        self.path = path
        self.embedded = parse_facts(texts.get(KEY), path, digests=texts.get(DIGESTS_KEY))
        self.facts = self.embedded.model_facts(sha256(contents).hexdigest())

    @abstractmethod
    def _run(self, images: NDArray[np.uint8]) -> tuple[Any, Any]:
        """Computes probability and mask; the runtime may raise any error."""

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch (B, H, W, 3) uint8 RGB of any one size.

        Returns:
            Probability (B, H, W) float32 in [0, 1] and mask (B, H, W) uint8 in {0, 1}.

        Raises:
            InputError: The runtime fails, or the results do not fit the images.
        """
        try:
            probability, mask = self._run(images)
        except Exception as error:  # the runtimes' own types share no ancestor that could be imported
            raise InputError(f"{self.path}: {self.runtime} cannot run it: {self._message(error)}") from error
        for name, result, dtype in zip(OUTPUTS, (probability, mask), (np.float32, np.uint8), strict=True):
            if not isinstance(result, np.ndarray) or result.shape != images.shape[:3] or result.dtype != dtype:
                found = f"{result.dtype} {result.shape}" if isinstance(result, np.ndarray) else type(result).__name__
                allowed = f"{np.dtype(dtype)} {images.shape[:3]}"
                raise InputError(f"{self.path}: its {name} is {found}; allowed: {allowed}")
        return probability, mask

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicts a batch; see `Engine.probability`."""
        return self.run(images)[0]

    def second_look(self, images: NDArray[np.uint8]) -> None:
        """Returns None, since the file decides itself how it sees an image; see `Engine.second_look`."""

    def _message(self, error: Exception) -> str:
        return first_line(error)

    def _check_signature(self, found: Signature, allowed: Signature) -> None:
        if found != allowed:
            raise InputError(f"{self.path}: its input and outputs are {found}; allowed: {allowed}; {EXPORT_AGAIN}")


def open_engine(path: Path, *, device: str, precision: str, threads: int | None = None) -> Engine:
    """Opens a checkpoint or an exported model without running any code from it.

    Args:
        path: An `.onnx` file (for ONNX Runtime), an `.xml` file (for OpenVINO), or a checkpoint.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        precision: `auto` (the fastest that the device has), `fp32`, `bf16` or `fp16`; for checkpoints only.
        threads: Number for one call on a CPU, None for one per core; checkpoints use PyTorch's number.

    Raises:
        InputError: The file is missing, damaged or hostile, or its runtime is not installed.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    outlive_forks()
    if path.suffix in EXPORTED_SUFFIXES:
        return open_exported(path, device=device, threads=threads)
    from lesionseg.checkpoint.engine import CheckpointEngine  # PyTorch, which other kinds can do without

    return CheckpointEngine(path, device=device, precision=precision)


def open_exported(path: Path, *, device: str, threads: int | None = None) -> ExportedEngine:
    """Opens a file with one of `EXPORTED_SUFFIXES`; see `open_engine`."""
    # Each import needs libraries that only this kind of file needs.
    if path.suffix == ".onnx":
        from lesionseg.exporting.onnx import OnnxEngine

        return OnnxEngine(path, device=device, threads=threads)
    from lesionseg.exporting.openvino import OpenVinoEngine

    return OpenVinoEngine(path, device=device, threads=threads)


def read_bounded(path: Path, *, largest: int = LARGEST_FILE) -> bytes:
    """Reads a whole file once, so that the bytes that are checked are the bytes that are used.

    Raises:
        InputError: The file is missing or larger than `largest` bytes.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no file {path.absolute()}")
    size = path.stat().st_size
    if size > largest:
        raise InputError(f"{path}: has {size} bytes; allowed: at most {largest}")
    with path.open("rb") as file:
        return file.read(largest)
