"""What all exported models have in common: a bounded file, one input, two outputs."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError

INPUT = "image"
"""(B, H, W, 3) uint8 RGB 0..255, any B, H and W."""
OUTPUTS = ("probability", "mask")
"""Both of the image's own size: (B, H, W) float32 in [0, 1], and (B, H, W) uint8, 1 where it is above the threshold:
the decision's changes of regions are not in it."""
LARGEST_FILE = 2**31
"""Bytes: what one protobuf message, which an ONNX file is, may have. The largest U-Net here has a tenth of it."""

Results = tuple[NDArray[np.float32], NDArray[np.uint8]]


def read_bounded(path: Path, *, largest: int = LARGEST_FILE) -> bytes:
    """Reads a file once, so that what is checked is what is used.

    Raises:
        InputError: It is not there or larger than `largest` bytes, which is found out without reading it.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no file {path.absolute()}")
    size = path.stat().st_size
    if size > largest:
        raise InputError(f"{path}: has {size} bytes; allowed: at most {largest}")
    with path.open("rb") as file:
        return file.read(largest)


def sha256_of(contents: bytes) -> str:
    """Returns the SHA-256 of these bytes in hexadecimal digits."""
    return hashlib.sha256(contents).hexdigest()


def checked_results(probability: object, mask: object, images: NDArray[np.uint8], path: Path) -> Results:
    """Returns a model's results if they fit its images: a file's promises are not to be relied on.

    Raises:
        InputError: A shape or type is another.
    """
    shape = images.shape[:3]
    for name, result, dtype in zip(OUTPUTS, (probability, mask), (np.float32, np.uint8), strict=True):
        if not isinstance(result, np.ndarray) or result.shape != shape or result.dtype != dtype:
            found = f"{result.dtype} {result.shape}" if isinstance(result, np.ndarray) else type(result).__name__
            raise InputError(f"{path}: its {name} is {found}; allowed: {np.dtype(dtype)} {shape}")
    return probability, mask  # type: ignore[return-value]  # as just checked
