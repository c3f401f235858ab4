"""Looks into an OpenVINO `.xml` file before OpenVINO does."""

import re
from pathlib import Path
from xml.etree import ElementTree

from lesionseg.errors import InputError
from lesionseg.exporting.embedded_facts import DIGESTS_KEY, EXPORT_AGAIN, KEY

WEIGHTS_KEY = f"{KEY}_weights_sha256"
"""`rt_info` entry: of the `.bin` file's bytes."""
ENTRIES = (KEY, DIGESTS_KEY, WEIGHTS_KEY)
MOST_LAYERS = 20_000
LOOPS = frozenset({"body", "then_body", "else_body", "port_map", "back_edges"})
"""Elements of layers that have programs of their own, which need not end."""


def vetted_entries(contents: bytes, weights_size: int, path: Path) -> dict[str, str]:
    """Checks that the file is plain XML of standard layers within its weights, and returns its `rt_info` entries.

    Raises:
        InputError: It is not; says what was found.
    """
    try:
        root = ElementTree.fromstring(_plain_xml(contents))
        _check_layers(root, weights_size)
        entries = root.findall("./rt_info/*")
        return {entry.tag: entry.get("value", "") for entry in entries if entry.tag in ENTRIES}
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not an OpenVINO model as lesionseg writes it ({error}); {EXPORT_AGAIN}") from error


def _plain_xml(contents: bytes) -> str:
    """Returns the text, if it declares no entities: ten lines of these can stand for gigabytes."""
    text = contents.decode("utf-8")
    if "<!" in text or "\0" in text:
        raise ValueError("it holds a document type, a comment or the like")
    return text


def _check_layers(root: ElementTree.Element, weights_size: int) -> None:
    layers = root.findall("./layers/layer")
    if root.tag != "net" or not 0 < len(layers) <= MOST_LAYERS:
        raise ValueError(f"it has {len(layers)} layers; allowed: 1 to {MOST_LAYERS}")
    found = LOOPS & {element.tag for element in root.iter()}
    if found:
        raise ValueError(f"it has layers with programs of their own: {', '.join(sorted(found))}")
    for layer in layers:
        if not re.fullmatch(r"opset\d{1,2}", layer.get("version", "")):
            raise ValueError(f"a layer is of {layer.get('version', 'no version')[:60]}, not a standard one")
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None:
            _check_within(data, weights_size)


def _check_within(data: ElementTree.Element, weights_size: int) -> None:
    offset, size = int(data.get("offset", "0")), int(data.get("size", "0"))
    if offset < 0 or size < 0 or offset + size > weights_size:
        raise ValueError(f"weights from byte {offset} to {offset + size} of a .bin file of {weights_size} bytes")
