"""ONNX files: vetting one before ONNX Runtime sees it, without the `onnx` package, and running it.

ONNX Runtime runs no code of a file, but a file can make it read other files (weights as external data, by any path, or
even at an address in memory) and loop for ever. An export needs neither, so both are refused. The file is a protobuf
message, of which only the fields that matter are followed, in every place where they can be.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError, first_line
from lesionseg.exporting.facts import DIGESTS_KEY, EXPORT_AGAIN, KEY
from lesionseg.exporting.opening import INPUT, OUTPUTS, ExportedEngine, read_bounded
from lesionseg.system.machine import usable_cores

SIGNATURE = {INPUT: ("tensor(uint8)", 4), OUTPUTS[0]: ("tensor(float)", 3), OUTPUTS[1]: ("tensor(uint8)", 3)}
ERRORS_ONLY = 3
STANDARD_DOMAINS = (b"", b"ai.onnx")
MOST_FIELDS = 100_000
"""Limit of a message's fields; the deepest U-Net here has some hundreds of nodes and weights."""

Rules = Mapping[int, "str | Rules"]
"""Rules of a message: fields that it may not hold, in words, and the rules of the messages in it, by field number."""
# Numbers of onnx.proto3, see github.com/onnx/onnx.
TENSOR: Rules = {13: "weights in another file", 14: "weights in another file"}
ATTRIBUTE: Rules = {5: TENSOR, 10: TENSOR, 6: "a subgraph", 11: "subgraphs", 22: "sparse tensors", 23: "sparse tensors"}
NODE: Rules = {5: ATTRIBUTE}
GRAPH: Rules = {1: NODE, 5: TENSOR, 15: "sparse weights"}
MODEL: Rules = {7: GRAPH, 20: "a training of its own", 25: "functions of its own"}
MODEL_GRAPH, MODEL_METADATA = 7, 14
NODE_TYPE, NODE_DOMAIN = 4, 7
PAIR_KEY, PAIR_VALUE = 1, 2

Field = tuple[int, int | memoryview]


class OnnxEngine(ExportedEngine):
    """Runs an ONNX file, see `open_engine`; `device=auto` takes a GPU if ONNX Runtime can use one.

    Raises:
        InputError: ONNX Runtime is not installed, lacks the device, or refuses the file; the file is damaged, not from
            an export, or refers to anything outside itself.
    """

    runtime = "ONNX Runtime"

    def __init__(self, path: Path, *, device: str, threads: int | None = None) -> None:
        contents = read_bounded(path)
        super().__init__(path, contents, vetted_metadata(contents, path))
        self._session, self.device = open_session(contents, str(path), device=device, threads=threads or usable_cores())
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        self._check_signature({value.name: (value.type, len(value.shape)) for value in values}, SIGNATURE)

    def _run(self, images: NDArray[np.uint8]) -> tuple[Any, Any]:
        probability, mask = self._session.run(list(OUTPUTS), {INPUT: images})
        return probability, mask


def open_session(contents: bytes, name: str, *, device: str, threads: int) -> tuple[Any, str]:
    """Opens the bytes of a file, so that nothing outside them can be meant, and says in words what they run on.

    Raises:
        InputError: ONNX Runtime is not installed, lacks the device, or refuses the file, called `name`.
    """
    if find_spec("onnxruntime") is None:
        raise InputError(f"{name} needs ONNX Runtime: pip install 'lesionseg[export]'")
    import onnxruntime  # here: the message above is better than a traceback

    providers, words = _providers(device, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY  # it warns of nodes that it moves to the CPU, which is where they belong
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not its own format, which was not vetted
    try:
        return onnxruntime.InferenceSession(contents, options, providers=providers), words
    except Exception as error:  # as in `ExportedEngine.run`
        raise InputError(
            f"{name}: ONNX Runtime {onnxruntime.__version__} cannot open it: {first_line(error)}; {EXPORT_AGAIN}"
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


def vetted_metadata(contents: bytes, path: Path) -> dict[str, str]:
    """Checks that a file is self-contained and made of standard operators; returns its texts by their keys.

    Raises:
        InputError: It is no protobuf message, or holds anything else.
    """
    try:
        model = memoryview(contents)
        _check(model, MODEL)
        return _metadata(model)
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: not an ONNX file as lesionseg writes it ({error}); {EXPORT_AGAIN}") from error


def _check(message: memoryview, rules: Rules, subject: str = "it") -> None:
    """Checks a message and those in it."""
    contents = list(islice(_fields(message), MOST_FIELDS + 1))
    if len(contents) > MOST_FIELDS:
        raise ValueError(f"{subject} has more than {MOST_FIELDS} parts")
    if rules is MODEL and not any(number == MODEL_GRAPH and value for number, value in contents):
        raise ValueError("it has no graph")
    if rules is NODE:
        subject = f"the operator {next((_text(value) for number, value in contents if number == NODE_TYPE), '')}"
        for domain in (_message(value) for number, value in contents if number == NODE_DOMAIN):
            if domain not in STANDARD_DOMAINS:
                raise ValueError(f"{subject} is of the domain {_text(domain)}, not a standard one")
    for number, value in contents:
        rule = rules.get(number)
        if isinstance(rule, str) and value != 0:  # the number 0 is what an absent field stands for
            raise ValueError(f"{subject} has {rule}")
        if isinstance(rule, Mapping):
            _check(_message(value), rule, subject)


def _metadata(model: memoryview) -> dict[str, str]:
    texts: dict[str, str] = {}
    for number, value in _fields(model):
        if number == MODEL_METADATA:
            pair = dict(_fields(_message(value)))
            key = _text(pair.get(PAIR_KEY))
            if key in texts:
                raise ValueError("it carries its metadata twice")
            if key in (KEY, DIGESTS_KEY):
                texts[key] = _text(pair.get(PAIR_VALUE))
    return texts


def _fields(message: memoryview) -> Iterator[Field]:
    """Walks the top fields of a protobuf message: their numbers, and an integer or the bytes of anything longer.

    Raises:
        ValueError: The bytes are no protobuf message.
        IndexError: They end too early.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind} at byte {position}")
        if position + length > len(message):
            raise IndexError(f"it ends {position + length - len(message)} bytes too early")
        yield number, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Reads a number of up to ten bytes, seven bits in each; returns it and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"a number of more than ten bytes at byte {position}")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _text(value: int | memoryview | None) -> str:
    return "" if value is None else str(_message(value), "utf-8")
