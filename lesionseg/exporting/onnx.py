"""`format=onnx`: writes an `.onnx` file, and runs one in ONNX Runtime."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError, first_line
from lesionseg.exporting.facts import DIGESTS_KEY, EXPORT_AGAIN, KEY, EmbeddedFacts, parse_facts
from lesionseg.exporting.onnx_vetting import vetted_metadata
from lesionseg.exporting.opening import (
    INPUT,
    OUTPUTS,
    ExportedEngine,
    Results,
    check_signature,
    read_bounded,
    sha256_of,
)
from lesionseg.system.machine import usable_cores

if TYPE_CHECKING:
    from torch.export import ExportedProgram

OPSET = 18
"""The first version of ONNX's operators whose Resize has antialiasing; ONNX 1.13 and ONNX Runtime 1.14, of 2023."""
DIMENSIONS = ("batch", "height", "width")
SIGNATURE = {INPUT: ("tensor(uint8)", 4), OUTPUTS[0]: ("tensor(float)", 3), OUTPUTS[1]: ("tensor(uint8)", 3)}
ERRORS_ONLY = 3


def write_onnx(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes a program as ONNX with its metadata as properties, and lets ONNX check the file."""
    import onnx  # from an extra, which predicting does not need

    model = converted(program)
    embed(model, facts)
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def converted(program: ExportedProgram) -> Any:
    """Converts a program to an `onnx.ModelProto` with named dimensions."""
    import torch

    from lesionseg.exporting.deployed import quiet

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
    """Puts metadata into an `onnx.ModelProto` in place of any there, and the intended use where people see it."""
    kept = [entry for entry in model.metadata_props if entry.key not in (KEY, DIGESTS_KEY)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=DIGESTS_KEY, value=facts.digests())
    model.metadata_props.add(key=KEY, value=facts.text())
    model.doc_string = facts.intended_use


def _name_dimensions(model: Any) -> None:
    """Renames the image's free dimensions, which tracing has numbered (`s40`)."""
    (image,) = model.graph.input
    traced = [dimension.dim_param for dimension in image.type.tensor_type.shape.dim[:3]]
    names = dict(zip(traced, DIMENSIONS, strict=True))
    for value in (image, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]


class OnnxEngine(ExportedEngine):
    """Runs an ONNX file that `lesionseg.export` wrote.

    Args:
        path: The file.
        device: `auto` (a GPU if ONNX Runtime can use one), `cpu`, `cuda` or `cuda:<number>`.
        threads: Number for one call; None for one per core.

    Raises:
        InputError: ONNX Runtime is not installed, lacks the device, or refuses the file; the file is damaged, not from
            an export, or refers to anything outside itself.
    """

    def __init__(self, path: Path, *, device: str, threads: int | None = None) -> None:
        self.path = path
        contents = read_bounded(path)
        texts = vetted_metadata(contents, path)
        self.embedded = parse_facts(texts.get(KEY), path, digests=texts.get(DIGESTS_KEY))
        self._session, self.device = _open_session(contents, path, device, threads or usable_cores())
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        check_signature({value.name: (value.type, len(value.shape)) for value in values}, SIGNATURE, path)
        self.facts = self.embedded.model_facts(sha256_of(contents))

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch; see `ExportedEngine.run`."""
        try:
            probability, mask = self._session.run(list(OUTPUTS), {INPUT: images})
        except Exception as error:  # ONNX Runtime's own types share no ancestor that could be imported
            raise InputError(f"{self.path}: ONNX Runtime cannot run it: {first_line(error)}") from error
        return self.checked(probability, mask, images)


def _open_session(contents: bytes, path: Path, device: str, threads: int) -> tuple[Any, str]:
    """Opens the bytes of a file, so that nothing outside them can be meant, and names what they run on."""
    if find_spec("onnxruntime") is None:
        raise InputError(f"{path} needs ONNX Runtime: pip install 'lesionseg[export]'")
    import onnxruntime  # here: the message above is better than a traceback

    providers, words = _providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY  # it warns of nodes that it moves to the CPU, which is where they belong
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not its own format, which was not vetted
    try:
        return onnxruntime.InferenceSession(contents, options, providers=providers), words
    except Exception as error:  # as in `run`
        raise InputError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot open it: {first_line(error)}; {EXPORT_AGAIN}"
        ) from error


def _providers(device: str, available: list[str]) -> tuple[list[Any], str]:
    """Chooses ONNX Runtime's execution providers for a device; the CPU takes what a GPU cannot do."""
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d{1,3}))?", device)
    if match is None:
        raise InputError(f"device is {device}; allowed: auto, cpu, cuda, cuda:<number>")
    has_cuda = "CUDAExecutionProvider" in available
    if device.startswith("cuda") and not has_cuda:
        raise InputError(f"device={device}: this ONNX Runtime has no CUDA; pip install onnxruntime-gpu, or device=cpu")
    if device == "cpu" or not has_cuda:
        return ["CPUExecutionProvider"], "CPU, ONNX Runtime"
    number = int(match.group(1) or 0)
    providers = [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
    return providers, f"GPU {number}, ONNX Runtime"
