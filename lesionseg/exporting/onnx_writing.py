"""Writing ONNX files, also with weights and activations in 8 bits that are calibrated on training images."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from lesionseg.data.source import Sample
from lesionseg.exporting.deployed import quiet
from lesionseg.exporting.facts import DIGESTS_KEY, KEY, EmbeddedFacts
from lesionseg.exporting.opening import INPUT, OUTPUTS

OPSET = 18
"""The first version of ONNX's operators whose Resize has antialiasing; ONNX 1.13 and ONNX Runtime 1.14, of 2023."""
DIMENSIONS = ("batch", "height", "width")
QUANTISED = ("Conv", "ConvTranspose", "Add", "Concat", "MaxPool", "Relu", "Resize")
"""Operators that are quantised, so that values stay in 8 bits from the first convolution to the last."""


def write_onnx(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes a program as ONNX with its metadata as properties, and lets ONNX check the file."""
    model = converted(program)
    _embed(model, facts)
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def converted(program: ExportedProgram) -> onnx.ModelProto:
    """Converts a program and names its dimensions."""
    with quiet():
        written = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            verbose=False,
        )
    if written is None:
        raise TypeError("torch.onnx.export returned nothing")
    model: onnx.ModelProto = written.model_proto
    _name_dimensions(model)
    return model


def _embed(model: onnx.ModelProto, facts: EmbeddedFacts) -> None:
    """Puts metadata into a model in place of any there, and the intended use where people see it."""
    kept = [entry for entry in model.metadata_props if entry.key not in (KEY, DIGESTS_KEY)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=DIGESTS_KEY, value=facts.digests())
    model.metadata_props.add(key=KEY, value=facts.text())
    model.doc_string = facts.intended_use


def _name_dimensions(model: onnx.ModelProto) -> None:
    """Renames the image's free dimensions, which tracing has numbered (`s40`)."""
    (image,) = model.graph.input
    traced = [dimension.dim_param for dimension in image.type.tensor_type.shape.dim[:3]]
    names = dict(zip(traced, DIMENSIONS, strict=True))
    for value in (image, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]


class CalibrationImages:
    """Gives `quantize_static` one image at a time, at the network's size."""

    def __init__(self, samples: Sequence[Sample], image_size: int) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (sample.read_resized(image_size).image[None] for sample in samples)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Returns the next image as the model takes it, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantise(float_file: Path, samples: Sequence[Sample], facts: EmbeddedFacts, path: Path) -> None:
    """Writes an 8-bit version of an ONNX file in float32, whose scales are set by the samples' images."""
    from onnxruntime import quantization  # which other formats do without

    with quiet("root"):  # the quantiser advises its developers there, whatever it is given
        quantization.quantize_static(
            float_file,
            path,
            CalibrationImages(samples, facts.image_size),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=_outside_of_network(float_file),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
    model = onnx.load(path)
    _embed(model, facts)
    onnx.save(model, path)


def _outside_of_network(float_file: Path) -> list[str]:
    """Names the operators before the first convolution and after the last, so that the sigmoid stays exact."""
    nodes = onnx.load(float_file).graph.node
    convolutions = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "ConvTranspose")]
    return [node.name for node in (*nodes[: convolutions[0]], *nodes[convolutions[-1] + 1 :])]
