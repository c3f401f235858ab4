"""`format=onnx`: one `.onnx` file, for ONNX Runtime and most other runtimes."""

from pathlib import Path
from typing import Any

import onnx
import torch
from torch.export import ExportedProgram

from lesionseg.exporting.embedded_facts import DIGESTS_KEY, KEY, EmbeddedFacts
from lesionseg.exporting.exported_file import INPUT, OUTPUTS
from lesionseg.exporting.quiet import quiet

OPSET = 18
"""Of ONNX's operators: the first whose Resize has antialiasing; ONNX 1.13 and ONNX Runtime 1.14, both of 2023."""
DIMENSIONS = ("batch", "height", "width")


def write_onnx(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes the program as ONNX with its metadata as the property `lesionseg`, and has ONNX check it."""
    model = converted(program)
    embed(model, facts)
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def converted(program: ExportedProgram) -> Any:
    """Converts a program to an `onnx.ModelProto`."""
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
    model = written.model_proto
    _name_dimensions(model)
    return model


def embed(model: Any, facts: EmbeddedFacts) -> None:
    """Puts the metadata into an `onnx.ModelProto`, in place of any it has, with the intended use for people to see."""
    kept = [entry for entry in model.metadata_props if entry.key not in (KEY, DIGESTS_KEY)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=DIGESTS_KEY, value=facts.digests())
    model.metadata_props.add(key=KEY, value=facts.text())
    model.doc_string = facts.intended_use


def _name_dimensions(model: Any) -> None:
    """Calls the image's free dimensions what they are; tracing has numbered them (`s40`)."""
    (image,) = model.graph.input
    traced = [dimension.dim_param for dimension in image.type.tensor_type.shape.dim[:3]]
    names = dict(zip(traced, DIMENSIONS, strict=True))
    for value in (image, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]
