"""`format=openvino`: writes an `.xml` file with its weights in a `.bin` file, vets and runs them in OpenVINO."""

from __future__ import annotations

import functools
import re
import threading
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError
from lesionseg.exporting.facts import DIGESTS_KEY, EXPORT_AGAIN, KEY, EmbeddedFacts
from lesionseg.exporting.opening import INPUT, OUTPUTS, ExportedEngine, read_bounded
from lesionseg.system.machine import usable_cores

if TYPE_CHECKING:
    from torch.export import ExportedProgram

WEIGHTS_KEY = f"{KEY}_weights_sha256"
"""`rt_info` entry with the SHA-256 of the `.bin` file, so that no other weights are taken for these by mistake."""
ENTRIES = (KEY, DIGESTS_KEY, WEIGHTS_KEY)
LARGEST_XML = 64 * 2**20
"""Bytes; the deepest U-Net here takes half a million."""
MOST_LAYERS = 20_000
PROGRAMS = frozenset({"body", "then_body", "else_body", "port_map", "back_edges"})
"""Elements of layers that run programs of their own, which need not end."""
SIGNATURE = {INPUT: ("u8", 4), OUTPUTS[0]: ("f32", 3), OUTPUTS[1]: ("u8", 3)}


def write_openvino(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Converts a program by way of ONNX, with weights in float16 if `facts.precision` is fp16.

    The metadata are written as `rt_info` entries, see `ENTRIES`.
    """
    import openvino  # both from extras

    from lesionseg.exporting.onnx_writing import converted

    # Not by convert_model, which reports its use to a server.
    model = _core().read_model(converted(program).SerializeToString())
    _resize_with_antialiasing(model, facts.image_size)
    for output, name in zip(model.outputs, OUTPUTS, strict=True):
        output.get_tensor().set_names({name})
    model.set_rt_info(facts.text(), [KEY])
    model.set_rt_info(facts.digests(), [DIGESTS_KEY])
    halved = facts.precision == "fp16"
    openvino.save_model(model, path, compress_to_fp16=halved)
    # The weights do not depend on rt_info: written again, they are the same.
    model.set_rt_info(sha256(path.with_suffix(".bin").read_bytes()).hexdigest(), [WEIGHTS_KEY])
    openvino.save_model(model, path, compress_to_fp16=halved)


def _resize_with_antialiasing(model: Any, image_size: int) -> None:
    """Replaces the first resizing, whose antialiasing OpenVINO ignores, by its Pillow mode, which equals PyTorch's."""
    from openvino import opset11

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


def vetted_entries(contents: bytes, weights_size: int, path: Path) -> dict[str, str]:
    """Checks that a file is plain XML of standard layers within its weights; returns its `rt_info` in `ENTRIES`.

    Raises:
        InputError: It is not; the message says what was found.
    """
    try:
        root = ElementTree.fromstring(_plain_xml(contents))
        _check_layers(root, weights_size)
        entries = root.findall("./rt_info/*")
        return {entry.tag: entry.get("value", "") for entry in entries if entry.tag in ENTRIES}
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not an OpenVINO model as lesionseg writes it ({error}); {EXPORT_AGAIN}") from error


def _plain_xml(contents: bytes) -> str:
    """Returns the text unless it declares entities, ten lines of which can stand for gigabytes."""
    text = contents.decode("utf-8")
    if "<!" in text or "\0" in text:
        raise ValueError("it holds a document type, a comment or the like")
    return text


def _check_layers(root: ElementTree.Element, weights_size: int) -> None:
    layers = root.findall("./layers/layer")
    if root.tag != "net" or not 0 < len(layers) <= MOST_LAYERS:
        raise ValueError(f"it has {len(layers)} layers; allowed: 1 to {MOST_LAYERS}")
    found = PROGRAMS & {element.tag for element in root.iter()}
    if found:
        raise ValueError(f"it has layers with programs of their own: {', '.join(sorted(found))}")
    for layer in layers:
        if not re.fullmatch(r"opset\d{1,2}", layer.get("version", "")):
            raise ValueError(f"a layer is of {layer.get('version', 'no version')[:60]}, not a standard one")
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None:
            start = int(data.get("offset", "0"))
            end = start + int(data.get("size", "0"))
            if not 0 <= start <= end <= weights_size:
                raise ValueError(f"weights from byte {start} to {end} of a .bin file of {weights_size} bytes")


class OpenVinoEngine(ExportedEngine):
    """Runs an `.xml` file with its `.bin` beside it on the CPU, see `open_engine`.

    The first batch of a new size takes OpenVINO seconds. Several calls run at once if their threads find cores.

    Raises:
        InputError: OpenVINO is not installed or refuses the model; the files are damaged, not from one export, or hold
            anything but standard layers.
    """

    runtime = "OpenVINO"
    device = "CPU, OpenVINO"

    def __init__(self, path: Path, *, device: str, threads: int | None = None) -> None:
        if device not in ("auto", "cpu"):
            raise InputError(f"device is {device}; allowed for OpenVINO: auto, cpu. For a GPU use format=onnx")
        contents, weights = read_bounded(path, largest=LARGEST_XML), read_bounded(path.with_suffix(".bin"))
        entries = vetted_entries(contents, len(weights), path)
        super().__init__(path, contents, entries)  # whose SHA-256 covers the weights, as theirs is in it
        if entries.get(WEIGHTS_KEY) != sha256(weights).hexdigest():
            raise InputError(
                f"{path.with_suffix('.bin')}: not the weights of {path.name}; copy both files of one export"
            )
        self._model = self._compiled(contents, weights, threads or usable_cores())
        self._of_thread = threading.local()

    def _run(self, images: NDArray[np.uint8]) -> tuple[Any, Any]:
        found = self._request().infer({INPUT: images})
        probability, mask = (np.array(found[name]) for name in OUTPUTS)  # copied: the next call writes over them
        return probability, mask

    def _request(self) -> Any:
        """Returns the thread's own request, since two threads must not share one."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._model.create_infer_request()
        return self._of_thread.request

    def _compiled(self, contents: bytes, weights: bytes, threads: int) -> Any:
        """Compiles vetted bytes for float32; OpenVINO would choose bf16 by itself where the CPU has it."""
        if find_spec("openvino") is None:
            raise InputError(f"{self.path} needs OpenVINO: pip install 'lesionseg[openvino]'")
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": usable_cores(),
            "NUM_STREAMS": max(1, usable_cores() // threads),
        }
        try:
            model = _core().read_model(contents, weights)
            found = {
                name: (value.element_type.get_type_name(), value.partial_shape.rank.get_length())
                for value in (*model.inputs, *model.outputs)
                for name in value.names
            }
            self._check_signature(found, SIGNATURE)
            return _core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise InputError(f"{self.path}: OpenVINO cannot open it: {self._message(error)}; {EXPORT_AGAIN}") from error

    def _message(self, error: Exception) -> str:
        """Returns the last line of OpenVINO's messages, whose first ones name files of its source."""
        lines = [line for line in str(error).splitlines() if line.strip()]
        return lines[-1] if lines else type(error).__name__


@functools.cache
def _core() -> Any:
    """Starts OpenVINO once: a process that forks after its threads were taken down has been seen to crash."""
    import openvino  # here: the message for those who lack it is better than a traceback

    return openvino.Core()
