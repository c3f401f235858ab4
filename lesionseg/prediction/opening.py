"""From a model file to a model that is ready to predict."""

from pathlib import Path

from lesionseg.errors import InputError
from lesionseg.exporting.exported_opening import EXPORTED_SUFFIXES, open_exported
from lesionseg.model.engine import Engine
from lesionseg.system.processes import outlive_forks


def open_engine(path: Path, *, device: str, precision: str, threads: int | None = None) -> Engine:
    """Opens a checkpoint or an exported model, without running any code from it.

    Args:
        path: `.onnx` (ONNX Runtime), `.pt2` (torch.export), `.xml` (OpenVINO), or else a checkpoint.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        precision: `auto` (the fastest that the device has), `fp32`, `bf16` or `fp16`; of checkpoints only.
        threads: That one call uses on a CPU; None for as many as there are cores. What runs in PyTorch, checkpoints
            and `.pt2` files, uses PyTorch's number.

    Raises:
        InputError: The file is not there, damaged or hostile, or what opens it is not installed.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    outlive_forks()
    if path.suffix in EXPORTED_SUFFIXES:
        return open_exported(path, device=device, threads=threads)
    from lesionseg.checkpoint.checkpoint_engine import CheckpointEngine  # PyTorch, which other kinds can do without

    return CheckpointEngine(path, device=device, precision=precision)
