"""Opening an exported model; which kind it is, its suffix tells."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lesionseg.exporting.embedded_facts import EmbeddedFacts
from lesionseg.exporting.exported_file import Results
from lesionseg.model.engine import Engine

EXPORTED_SUFFIXES = (".onnx", ".pt2", ".xml")


class ExportedEngine(Engine, Protocol):
    """An engine of an exported file, which also resizes and decides, and carries more facts."""

    embedded: EmbeddedFacts

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch of any one size.

        Args:
            images: (B, H, W, 3) uint8 RGB 0..255.

        Returns:
            Probability (B, H, W) float32 in [0, 1] and mask (B, H, W) uint8 in {0, 1}.
        """


def open_exported(path: Path, *, device: str, threads: int | None = None) -> ExportedEngine:
    """Opens an exported model without running any code from it.

    Args:
        path: A file with one of `EXPORTED_SUFFIXES`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        threads: That one call uses; None for as many as there are cores. A `.pt2` file runs in PyTorch's number.

    Raises:
        InputError: The file is not there, damaged or hostile, or what opens it is not installed.
    """
    # Each import is of libraries that only this kind of file needs.
    if path.suffix == ".onnx":
        from lesionseg.exporting.onnx_engine import OnnxEngine

        return OnnxEngine(path, device=device, threads=threads)
    if path.suffix == ".pt2":
        from lesionseg.exporting.exported_program_engine import ExportedProgramEngine

        return ExportedProgramEngine(path, device=device)
    from lesionseg.exporting.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(path, device=device, threads=threads)
