"""lesionseg: train, test and hand over skin-lesion segmentation models with Lightning and Hydra."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lesionseg.prediction.predictor import Predictor

__version__ = "0.1.0"


def load(path: str | Path, *, device: str = "auto", precision: str = "auto") -> Predictor:
    """Opens a checkpoint or an exported model to predict with; runs no code from the file.

    Args:
        path: File that training wrote (`best.safetensors` or `best.ckpt`) or that `lesionseg.export` made of one
            (`.onnx` or `.xml`); or the folder of a run, whose best checkpoint is taken.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        precision: `auto` (the fastest that the device has), `fp32`, `bf16` or `fp16`; of checkpoints only.

    Raises:
        lesionseg.errors.InputError: The file is not there, damaged or hostile, or what opens it is not installed.

    A process that is forked after this (as multiprocessing does on Linux before Python 3.14) computes with one thread,
    because it has none of its parent's; on a GPU it cannot predict at all, and says so. Processes that are spawned, and
    open the model themselves, can do everything.

    Example:
        segmenter = lesionseg.load("best.safetensors")
        mask = segmenter.predict("photo.jpg")  # (H, W) bool, of the photograph's own size
    """
    # Imported here: PyTorch takes seconds, which `import lesionseg` should not.
    from lesionseg.checkpoint.named_checkpoint import checkpoint_file
    from lesionseg.exporting.opening import open_engine
    from lesionseg.prediction.predictor import Predictor

    return Predictor(open_engine(checkpoint_file(path), device=device, precision=precision))
