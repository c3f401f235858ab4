"""Files that a stranger may send in place of an exported model: each must end in a clear error, and do nothing else."""

import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lesionseg
from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError
from lesionseg.exporting.opening import open_exported

Exported = Callable[[str], Path]
PROGRAM, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
SAMPLES, CONSTANTS = "data/sample_inputs/model.pt", "data/constants/model_constants_config.json"
METADATA = "extra/lesionseg.json"
FLIPS = 40


def refused(path: Path, match: str | None = None) -> None:
    """Opens a file, which must be refused."""
    with pytest.raises(InputError, match=match) as error:
        open_exported(path, device="cpu")
    assert path.name in str(error.value) or path.with_suffix(".bin").name in str(error.value)
    assert len(str(error.value)) < 2000


# ONNX


@pytest.fixture
def onnx() -> Any:
    return pytest.importorskip("onnx")


@pytest.fixture
def model(exported: Exported, onnx: Any) -> Any:
    return onnx.load(exported("onnx"))


def stored(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def add_domain(onnx: Any, model: Any) -> None:
    model.opset_import.append(onnx.helper.make_opsetid("evil.ops", 1))
    model.graph.node[8].domain = "evil.ops"


def add_loop(onnx: Any, model: Any) -> None:
    body = onnx.helper.make_graph([], "body", [], [])
    model.graph.node.append(onnx.helper.make_node("Loop", ["", ""], [], body=body))


def add_function(onnx: Any, model: Any) -> None:
    opset = onnx.helper.make_opsetid("", 18)
    model.functions.append(onnx.helper.make_function("evil", "f", ["x"], ["y"], [], [opset]))


def put_outside(onnx: Any, tensor: Any, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "64")):
        tensor.external_data.add(key=key, value=value)


def attribute_outside(onnx: Any, model: Any) -> None:
    tensor = onnx.numpy_helper.from_array(np.zeros(16, np.float32))
    put_outside(onnx, tensor, "/etc/hostname")
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["stolen"], value=tensor))


def float_input(onnx: Any, model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def rename_output(onnx: Any, model: Any) -> None:
    model.graph.node.append(onnx.helper.make_node("Identity", ["mask"], ["other"]))
    model.graph.output[1].name = "other"


def with_metadata(change: Callable[[dict[str, Any]], None]) -> Callable[[Any, Any], None]:
    def spoil(onnx: Any, model: Any) -> None:
        (entry,) = (entry for entry in model.metadata_props if entry.key == "lesionseg")
        facts = json.loads(entry.value)
        change(facts)
        entry.value = json.dumps(facts)

    return spoil


ONNX_FAULTS: dict[str, tuple[str | None, Callable[[Any, Any], Any]]] = {
    "weights in another file": (
        "another file",
        lambda onnx, model: put_outside(onnx, model.graph.initializer[0], "/etc/hostname"),
    ),
    "weights at an address": (
        "another file",
        lambda onnx, model: put_outside(onnx, model.graph.initializer[0], "*/_ORT_MEM_ADDR_/*"),
    ),
    "an attribute in another file": ("another file", attribute_outside),
    "an operator of others": ("evil.ops", add_domain),
    "a loop": ("Loop has a subgraph", add_loop),
    "functions": ("functions", add_function),
    "sparse weights": ("sparse", lambda onnx, model: model.graph.sparse_initializer.add()),
    "no metadata": ("carries no 'lesionseg'", lambda onnx, model: model.metadata_props.pop()),
    "metadata twice": ("twice", lambda onnx, model: model.metadata_props.append(model.metadata_props[-1])),
    "a later format": ("format", with_metadata(lambda facts: facts.update(format=2))),
    "an absurd size": ("image_size", with_metadata(lambda facts: facts.update(image_size=10**12))),
    "no threshold": ("threshold", with_metadata(lambda facts: facts.update(threshold=float("nan")))),
    "another input": ("its input and outputs|cannot open", float_input),
    "another output": ("its input and outputs", rename_output),
    "no graph": ("no graph", lambda onnx, model: model.ClearField("graph")),
    "a cycle": ("cannot open", lambda onnx, model: model.graph.node[3].input.append(model.graph.node[9].output[0])),
    "a shape of terabytes": ("cannot open", lambda onnx, model: model.graph.initializer[0].dims.extend([10**6] * 4)),
}


@pytest.mark.parametrize("fault", ONNX_FAULTS)
def test_an_onnx_file_with_a_fault_is_refused(fault: str, onnx: Any, model: Any, tmp_path: Path) -> None:
    match, spoil = ONNX_FAULTS[fault]
    spoil(onnx, model)
    refused(stored(tmp_path / "hostile.onnx", model), match)


def test_onnx_runtime_alone_would_read_a_file_beside_the_model(onnx: Any, model: Any, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    (tmp_path / "secret").write_bytes(bytes(10_000))
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    length = len(weight.raw_data)
    (tmp_path / "secret").write_bytes(bytes(length))
    put_outside(onnx, weight, "secret")
    weight.external_data[2].value = str(length)
    path = stored(tmp_path / "hostile.onnx", model)
    assert runtime.InferenceSession(path, providers=["CPUExecutionProvider"])  # the control
    refused(path, "another file")


def test_a_runtimes_own_format_is_no_way_around(exported: Exported, onnx: Any, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    runtime.InferenceSession(exported("onnx"), options, providers=["CPUExecutionProvider"])
    refused((tmp_path / "model.ort").rename(tmp_path / "hostile.onnx"))


# OpenVINO


@pytest.fixture
def xml(exported: Exported, tmp_path: Path) -> Path:
    """A real model, the test's own to spoil."""
    source = exported("openvino")
    for suffix in (".xml", ".bin"):
        shutil.copy(source.with_suffix(suffix), tmp_path / f"hostile{suffix}")
    return tmp_path / "hostile.xml"


BOMB = '<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{"&" + before + ";" * 1}{("&" + before + ";") * 9}">'
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)

XML_FAULTS: dict[str, tuple[str | None, Callable[[str], str]]] = {
    "entities": ("document type", lambda text: text.replace("<net", f"{BOMB}]><net", 1).replace("</net>", "&j;</net>")),
    "an entity of a file": (
        "document type",
        lambda text: text.replace("<net", '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/hostname">]><net', 1),
    ),
    "a layer of an extension": ("extension", lambda text: text.replace('version="opset1"', 'version="extension"', 1)),
    "a loop": ("programs of their own", lambda text: text.replace("</layers>", "<body/></layers>", 1)),
    "no layers": ("0 layers", lambda text: text.replace("layers>", "others>")),
    "weights beyond the file": (
        "weights from byte",
        lambda text: text.replace('offset="0"', 'offset="99999999999"', 1),
    ),
    "no metadata": ("carries no", lambda text: text.replace("<lesionseg ", "<other ", 1)),
    "an absurd size": (
        "image_size",
        lambda text: text.replace("&quot;image_size&quot;:64", "&quot;image_size&quot;:6400", 1),
    ),
    "no threshold": (
        "threshold",
        lambda text: text.replace("&quot;threshold&quot;:0.5", "&quot;threshold&quot;:NaN", 1),
    ),
    "another input": (
        "its input and outputs|cannot open",
        lambda text: text.replace('element_type="u8"', 'element_type="f32"', 1),
    ),
    "elements without end": (None, lambda text: "<a>" * 200_000),
    "nothing": (None, lambda text: ""),
}


@pytest.mark.parametrize("fault", XML_FAULTS)
def test_an_openvino_model_with_a_fault_is_refused(fault: str, xml: Path) -> None:
    match, spoil = XML_FAULTS[fault]
    text = xml.read_text(encoding="utf-8")
    assert spoil(text) != text
    xml.write_text(spoil(text), encoding="utf-8")
    refused(xml, match)


def test_xml_in_another_encoding_is_no_way_around(xml: Path) -> None:
    text = xml.read_text(encoding="utf-8")
    xml.write_bytes(XML_FAULTS["entities"][1](text).encode("utf-16"))
    refused(xml)


def test_weights_that_are_gone_or_another_models_are_refused(xml: Path) -> None:
    weights = bytearray(xml.with_suffix(".bin").read_bytes())
    weights[100] ^= 1
    xml.with_suffix(".bin").write_bytes(weights)
    refused(xml, r"not the weights of hostile\.xml; copy both files")
    xml.with_suffix(".bin").unlink()
    refused(xml, "there is no file")


# All


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_file_cut_short_anywhere_is_refused(name: str, exported: Exported, tmp_path: Path) -> None:
    source = exported(name)
    content = source.read_bytes()
    path = tmp_path / f"short{source.suffix}"
    if source.suffix == ".xml":
        shutil.copy(source.with_suffix(".bin"), path.with_suffix(".bin"))
    for length in (0, 1, 100, len(content) // 3, len(content) // 2, len(content) - 20):
        path.write_bytes(content[:length])
        refused(path)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_a_flipped_bit_ends_in_a_result_or_a_clear_error(name: str, exported: Exported, tmp_path: Path) -> None:
    source = exported(name)
    content, path = source.read_bytes(), tmp_path / f"flipped{source.suffix}"
    if source.suffix == ".xml":
        shutil.copy(source.with_suffix(".bin"), path.with_suffix(".bin"))
    generator, image = random.Random(0), np.zeros((1, 64, 64, 3), np.uint8)
    refused = 0
    for number in range(FLIPS):
        spoiled = bytearray(content)
        last = 1000 if number % 2 else len(content)  # where the metadata are, or anywhere
        spoiled[-generator.randrange(1, last)] ^= 1 << generator.randrange(8)
        path.write_bytes(spoiled)
        try:
            found = open_exported(path, device="cpu").probability(image)
        except InputError:
            refused += 1
        else:
            assert found.shape == (1, 64, 64)
    assert refused >= {"onnx": 1, "openvino": 20}[name]  # an ONNX file is mostly weights, and has no checksum


def test_a_file_larger_than_any_model_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)  # a hole, which takes no room on the disk
    refused(path, "bytes; allowed")


class Payload:
    """Unpickled, it makes the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("opened", [lesionseg.load, read], ids=["load", "read"])
def test_a_torch_export_is_never_opened(opened: Callable[[Path], object], exported: Exported, tmp_path: Path) -> None:
    """`torch.export.load` would run the code that this one holds."""
    marker, path = tmp_path / "ran", tmp_path / "hostile.pt2"
    saved = io.BytesIO()
    torch.save((Payload(marker),), saved)
    with zipfile.ZipFile(exported("torch_export")) as own, zipfile.ZipFile(path, "w") as archive:
        for entry in own.infolist():
            is_sample = entry.filename.endswith("data/sample_inputs/model.pt")
            archive.writestr(entry.filename, saved.getvalue() if is_sample else own.read(entry))
    with pytest.raises(InputError, match=r"hostile\.pt2: \.pt2 files are for PyTorch without lesionseg"):
        opened(path)
    assert not marker.exists()
    with suppress(Exception):  # the control: it fails in many ways, after the payload has run
        torch.export.load(path)
    assert marker.exists()
