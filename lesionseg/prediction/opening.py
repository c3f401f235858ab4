"""From a model file to a model that is ready to predict."""

from pathlib import Path

from lesionseg.errors import InputError
from lesionseg.prediction.engine import Engine


def open_engine(path: Path, *, device: str, precision: str) -> Engine:
    """Opens a checkpoint or an exported model; which of them it is, its suffix tells.

    Args:
        path: `.onnx` (ONNX Runtime), `.pt2` (torch.export), `.xml` (OpenVINO), or else a checkpoint.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        precision: `auto` (the fastest that the device has), `fp32`, `bf16` or `fp16`; of checkpoints only.

    Raises:
        InputError: The file is not there, damaged or hostile, or what opens it is not installed.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    # Each import is of libraries that only this kind of file needs.
    if path.suffix == ".onnx":
        from lesionseg.prediction.onnx_engine import OnnxEngine

        return OnnxEngine(path, device=device)
    if path.suffix == ".pt2":
        from lesionseg.prediction.exported_program_engine import ExportedProgramEngine

        return ExportedProgramEngine(path, device=device)
    if path.suffix == ".xml":
        from lesionseg.prediction.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(path, device=device)
    from lesionseg.prediction.checkpoint_engine import CheckpointEngine

    return CheckpointEngine(path, device=device, precision=precision)
