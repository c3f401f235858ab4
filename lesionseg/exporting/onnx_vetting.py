"""Vetting of an ONNX file before ONNX Runtime sees it, without the `onnx` package.

ONNX Runtime runs no code of a file, but a file can make it read other files (weights as external data, by any path, or
even at an address in memory) and loop for ever. An export needs neither, so both are refused. The file is a protobuf
message, of which only the fields that matter are followed, in every place where they can be.
"""

from collections.abc import Iterator
from pathlib import Path

from lesionseg.errors import InputError
from lesionseg.exporting.facts import DIGESTS_KEY, EXPORT_AGAIN, KEY

STANDARD_DOMAINS = (b"", b"ai.onnx")
MOST_PARTS = 100_000
"""Limit of nodes and weights together; the deepest U-Net here has some hundreds."""

# Field numbers of onnx.proto3, see github.com/onnx/onnx.
MODEL_GRAPH, MODEL_METADATA, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 14, 20, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE_INITIALIZER = 1, 5, 15
NODE_TYPE, NODE_ATTRIBUTE, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS = 5, 10
ATTRIBUTE_OTHERS = {6: "a subgraph", 11: "subgraphs", 22: "a sparse tensor", 23: "sparse tensors"}
TENSOR_EXTERNAL_DATA, TENSOR_LOCATION = 13, 14
PAIR_KEY, PAIR_VALUE = 1, 2

METADATA_KEYS = (KEY, DIGESTS_KEY)

Field = tuple[int, int | memoryview]


def vetted_metadata(contents: bytes, path: Path) -> dict[str, str]:
    """Checks that a file is self-contained and made of standard operators.

    Returns:
        Its texts by `METADATA_KEYS`.

    Raises:
        InputError: It is no protobuf message, or holds anything else.
    """
    try:
        return _metadata_of_model(memoryview(contents))
    except (_RefusedError, ValueError, IndexError) as error:
        raise InputError(f"{path}: not an ONNX file as lesionseg writes it ({error}); {EXPORT_AGAIN}") from error


class _RefusedError(Exception):
    """Tells what was found in a file."""


def _metadata_of_model(model: memoryview) -> dict[str, str]:
    texts: dict[str, str] = {}
    parts = 0
    for number, value in fields(model):
        if number in (MODEL_TRAINING, MODEL_FUNCTIONS):
            raise _RefusedError("it defines functions or a training of its own")
        if number == MODEL_GRAPH:
            parts += sum(1 for _ in _checked_graph(_message(value)))
        if number == MODEL_METADATA:
            pair = dict(fields(_message(value)))
            key = _text(pair.get(PAIR_KEY))
            if key in texts:
                raise _RefusedError("it carries its metadata twice")
            if key in METADATA_KEYS:
                texts[key] = _text(pair.get(PAIR_VALUE))
    if not parts:
        raise _RefusedError("it has no graph")
    return texts


def _checked_graph(graph: memoryview) -> Iterator[None]:
    """Checks each node and weight; yields once for each."""
    for count, (number, value) in enumerate(fields(graph)):
        if count > MOST_PARTS:
            raise _RefusedError(f"it has more than {MOST_PARTS} parts")
        if number == GRAPH_NODE:
            _check_node(_message(value))
        elif number == GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == GRAPH_SPARSE_INITIALIZER:
            raise _RefusedError("it has sparse weights")
        yield


def _check_node(node: memoryview) -> None:
    contents = list(fields(node))
    kind = next((_text(value) for number, value in contents if number == NODE_TYPE), "nameless")
    for number, value in contents:
        if number == NODE_DOMAIN and bytes(_message(value)) not in STANDARD_DOMAINS:
            raise _RefusedError(f"the operator {kind} is of the domain {_text(value)}, not a standard one")
        if number == NODE_ATTRIBUTE:
            _check_attribute(_message(value), kind)


def _check_attribute(attribute: memoryview, kind: str) -> None:
    for number, value in fields(attribute):
        if number in ATTRIBUTE_OTHERS:
            raise _RefusedError(f"the operator {kind} has {ATTRIBUTE_OTHERS[number]}")
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in fields(tensor):
        if number == TENSOR_EXTERNAL_DATA or (number == TENSOR_LOCATION and value != 0):
            raise _RefusedError("it takes weights from another file")


def fields(message: memoryview) -> Iterator[Field]:
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
