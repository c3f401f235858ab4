"""`format=openvino`: an `.xml` file with its weights in a `.bin` file of the same stem, as OpenVINO has it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
from openvino import opset11
from torch.export import ExportedProgram

from lesionseg.exporting.embedded_facts import DIGESTS_KEY, KEY, EmbeddedFacts
from lesionseg.exporting.exported_file import OUTPUTS, sha256_of
from lesionseg.exporting.onnx_format import converted
from lesionseg.exporting.openvino_vetting import WEIGHTS_KEY


def write_openvino(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Converts the program by way of ONNX; the weights are halved to float16 if `facts.precision` says so.

    The metadata are written as the `rt_info` entry `lesionseg`, beside the SHA-256 of the `.bin` file, so that no other
    weights are taken for these by mistake.
    """
    model = _model_of(program, path.with_suffix(".onnx"))
    _resize_with_antialiasing(model, facts.image_size)
    for output, name in zip(model.outputs, OUTPUTS, strict=True):
        output.get_tensor().set_names({name})
    model.set_rt_info(facts.text(), [KEY])
    model.set_rt_info(facts.digests(), [DIGESTS_KEY])
    halved = facts.precision == "fp16"
    openvino.save_model(model, path, compress_to_fp16=halved)
    # The weights do not depend on rt_info: written again, they are the same.
    model.set_rt_info(sha256_of(path.with_suffix(".bin").read_bytes()), [WEIGHTS_KEY])
    openvino.save_model(model, path, compress_to_fp16=halved)


def _model_of(program: ExportedProgram, passing: Path) -> Any:
    """Converts a program; OpenVINO reads ONNX from a file, whose own metadata it would take over.

    By `read_model`, since `convert_model` reports to a server that it was used.
    """
    onnx.save(converted(program), passing)
    model = openvino.Core().read_model(passing)
    passing.unlink()
    return model


def _resize_with_antialiasing(model: Any, image_size: int) -> None:
    """Replaces the first resizing, on which all else depends.

    OpenVINO takes ONNX's antialiasing over in name only, or not at all, and drops pixels of a large photograph. Its
    Pillow mode is what PyTorch computes, too.
    """
    resizing = next(operation for operation in model.get_ordered_ops() if operation.get_type_name() == "Interpolate")
    replacement = opset11.interpolate(
        resizing.input_value(0),
        np.array([image_size, image_size], np.int64),
        "bilinear_pillow",
        "sizes",
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        axes=np.array([2, 3], np.int64),
    )
    resizing.output(0).replace(replacement.output(0))
