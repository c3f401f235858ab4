"""The exported model in ONNX Runtime."""

import copy
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lesionseg.benchmarking.missing import NotMeasurableError, first_line
from lesionseg.benchmarking.subject import Subject
from lesionseg.exporting.deployed import Deployed, exported
from lesionseg.exporting.opening import INPUT, OUTPUTS
from lesionseg.exporting.settings import NEEDED

ERRORS_ONLY = 3


def onnx_inference(subject: Subject, image: Tensor) -> tuple[Callable[[], object], str]:
    """Exports a subject as `lesionseg.export` does, in float32, and opens it in as many threads as PyTorch has.

    Args:
        subject: In evaluation mode.
        image: (B, 3, S, S) uint8 RGB; S becomes the size that the exported model works at.

    Returns:
        What predicts these images, and where it runs: `CPU` or `GPU`.

    Raises:
        NotMeasurableError: The extra is not installed, or the network cannot be exported.
    """
    (extra,) = NEEDED["onnx"]
    absent = [module for module in NEEDED["onnx"][extra] if find_spec(module) is None]
    if absent:
        raise NotMeasurableError(f"needs {', '.join(absent)}: pip install 'lesionseg[{extra}]'")
    try:
        session = _session(_model(subject, image.shape[-1]))
        pixels = np.ascontiguousarray(image.permute(0, 2, 3, 1).cpu().numpy())
        session.run(list(OUTPUTS), {INPUT: pixels})
    except Exception as error:  # the exporter's and ONNX Runtime's errors share no type
        raise NotMeasurableError(f"cannot be exported: {first_line(error)}") from error
    place = "GPU" if session.get_providers()[0].startswith("CUDA") else "CPU"
    return lambda: session.run(list(OUTPUTS), {INPUT: pixels}), place


def _model(subject: Subject, size: int) -> bytes:
    from lesionseg.exporting.onnx import converted  # needs the extra

    segmenter = copy.deepcopy(subject.segmenter).cpu()
    model: bytes = converted(exported(Deployed(segmenter, size))).SerializeToString()
    return model


def _session(model: bytes) -> Any:
    import onnxruntime  # of the extra

    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    available = onnxruntime.get_available_providers()
    return onnxruntime.InferenceSession(model, options, providers=[name for name in wanted if name in available])
