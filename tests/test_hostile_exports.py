"""Files that a stranger may send in place of an exported model: each must end in a clear error, and do nothing else."""

import io
import json
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lesionseg.errors import InputError
from lesionseg.exporting.exported_opening import open_exported

Exported = Callable[[str], Path]
PROGRAM, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
SAMPLES, CONSTANTS = "data/sample_inputs/model.pt", "data/constants/model_constants_config.json"
METADATA = "extra/lesionseg.json"
FLIPS = 40


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What a payload makes when it runs."""
    return tmp_path / "ran"


class Payload:
    """Unpickled, it makes the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def refused(path: Path, match: str | None = None) -> None:
    """Opens a file, which must be refused."""
    with pytest.raises(InputError, match=match) as error:
        open_exported(path, device="cpu")
    assert path.name in str(error.value) or path.with_suffix(".bin").name in str(error.value)
    assert len(str(error.value)) < 2000


# torch.export


@pytest.fixture
def pt2(exported: Exported) -> dict[str, bytes]:
    """The entries of a real file, the test's own to spoil."""
    with zipfile.ZipFile(exported("torch_export")) as archive:
        return {entry.filename.partition("/")[2]: archive.read(entry) for entry in archive.infolist()}


def packed(path: Path, entries: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(f"model/{name}", content)
    return path


def changed(entries: Mapping[str, bytes], name: str, change: Callable[[Any], Any]) -> dict[str, bytes]:
    """Changes the JSON of one entry in place."""
    contents = json.loads(entries[name])
    change(contents)
    return {**entries, name: json.dumps(contents).encode()}


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def nodes_of(program: Any) -> list[Any]:
    nodes: list[Any] = program["graph_module"]["graph"]["nodes"]
    return nodes


def sympify(entries: Mapping[str, bytes], marker: Path) -> dict[str, bytes]:
    """An expression for a size, which torch gives to `sympy.sympify`, which evaluates it."""

    def change(program: Any) -> None:
        values = program["graph_module"]["graph"]["sym_int_values"]
        next(iter(values.values()))["as_expr"]["expr_str"] = (
            f"eval(\"__import__('pathlib').Path({str(marker)!r}).touch()\")"
        )

    return changed(entries, PROGRAM, change)


def guards(entries: Mapping[str, bytes], marker: Path) -> dict[str, bytes]:
    """A guard, which torch gives to `exec` when the program is made a module, and then runs."""
    code = f"__import__('pathlib').Path({str(marker)!r}).touch() or L['image'].size()[0] >= 0"
    example = saved(((torch.zeros(1, 64, 64, 3, dtype=torch.uint8),), {}))  # without which there are no guards
    return {**changed(entries, PROGRAM, lambda program: program.update(guards_code=[code])), SAMPLES: example}


def samples(entries: Mapping[str, bytes], marker: Path) -> dict[str, bytes]:
    """Example inputs, which torch unpickles in full where opening them safely fails."""
    return {**entries, SAMPLES: saved((Payload(marker),))}


def pickled_weight(entries: Mapping[str, bytes], marker: Path) -> dict[str, bytes]:
    """A weight that is marked as a pickle."""

    def change(config: Any) -> None:
        next(iter(config["config"].values()))["use_pickle"] = True

    entries = changed(entries, WEIGHTS, change)
    return {**entries, "data/weights/weight_0": saved(Payload(marker))}


def constant(entries: Mapping[str, bytes], marker: Path) -> dict[str, bytes]:
    """An opaque constant, which is a pickle by definition."""
    first = next(iter(json.loads(entries[WEIGHTS])["config"].values()))
    config = {"config": {"payload": {**first, "path_name": "opaque_obj_0", "use_pickle": True}}}
    return {
        **entries,
        CONSTANTS: json.dumps(config).encode(),
        "data/constants/opaque_obj_0": pickle.dumps(Payload(marker)),
    }


ATTACKS = {attack.__name__: attack for attack in (sympify, guards, samples, pickled_weight, constant)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_torchs_own_loader_runs_the_payload_and_lesionseg_does_not(
    attack: str, pt2: dict[str, bytes], marker: Path, tmp_path: Path
) -> None:
    path = packed(tmp_path / "hostile.pt2", ATTACKS[attack](pt2, marker))
    with suppress(InputError):  # what is not even looked at, need not be refused
        open_exported(path, device="cpu").probability(np.zeros((1, 64, 64, 3), np.uint8))
    assert not marker.exists()
    with suppress(Exception):  # the control: it fails in many ways, after the payload has run
        torch.export.load(path).module()(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    assert marker.exists()


PT2_FAULTS: dict[str, tuple[str | None, Callable[[dict[str, bytes]], Mapping[str, bytes]]]] = {
    "pickled samples": ("pickled sample inputs", lambda e: {**e, SAMPLES: saved((1,))}),
    "a legacy pickle of weights": (r"data/weights/model\.pt", lambda e: {**e, "data/weights/model.pt": saved({})}),
    "a shared library": ("aotinductor", lambda e: {**e, "data/aotinductor/model/model.so": b"\x7fELF"}),
    "a second program": (r"models/other\.json", lambda e: {**e, "models/other.json": e[PROGRAM]}),
    "no program": ("model.json", lambda e: {name: e[name] for name in e if name != PROGRAM}),
    "no metadata": ("carries no", lambda e: {name: e[name] for name in e if name != METADATA}),
    "a program that is no object": ("lesionseg", lambda e: {**e, PROGRAM: b"[]"}),
    "a program without end": ("lesionseg", lambda e: {**e, PROGRAM: b"[" * 2_000_000}),
    "a number of a million digits": ("lesionseg", lambda e: {**e, PROGRAM: b"1" * 1_000_000}),
    "bytes in another order": ("little-endian", lambda e: {**e, "byteorder": b"big"}),
    "a weight cut short": (None, lambda e: {**e, "data/weights/weight_0": e["data/weights/weight_0"][:-4]}),
    "a weight of odd bytes": (None, lambda e: {**e, "data/weights/weight_0": e["data/weights/weight_0"][:-1]}),
}


@pytest.mark.parametrize("fault", PT2_FAULTS)
def test_an_archive_with_a_fault_is_refused(fault: str, pt2: dict[str, bytes], tmp_path: Path) -> None:
    match, spoil = PT2_FAULTS[fault]
    refused(packed(tmp_path / "hostile.pt2", spoil(pt2)), match)


def set_first(key: str, value: Any) -> Callable[[Any], None]:
    """Changes the first weight's description."""

    def change(config: Any) -> None:
        next(iter(config["config"].values()))["tensor_meta"][key] = value

    return change


WEIGHT_FAULTS: dict[str, tuple[str | None, Callable[[Any], Any]]] = {
    "a size beyond the file": (None, set_first("sizes", [{"as_int": 2**23}] * 4)),
    "a size beyond all numbers": ("size", set_first("sizes", [{"as_int": 10**30}])),
    "a negative size": ("size", set_first("sizes", [{"as_int": -1}])),
    "a size that is an expression": ("as_int", set_first("sizes", [{"as_expr": {"expr_str": "exit()"}}])),
    "strides that overlap": ("strides", set_first("strides", [{"as_int": 0}] * 4)),
    "an offset": ("starts inside", set_first("storage_offset", {"as_int": 8})),
    "a type that is no number": ("type", set_first("dtype", 99)),
    "many dimensions": ("dimensions", lambda config: _many_dimensions(config)),
    "another entry": (
        "no ",
        lambda config: next(iter(config["config"].values())).update(path_name="../../models/model.json"),
    ),
}


def _many_dimensions(config: Any) -> None:
    set_first("sizes", [{"as_int": 1}] * 1000)(config)
    set_first("strides", [{"as_int": 1}] * 1000)(config)


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_weights_with_a_fault_are_refused(fault: str, pt2: dict[str, bytes], tmp_path: Path) -> None:
    match, change = WEIGHT_FAULTS[fault]
    refused(packed(tmp_path / "hostile.pt2", changed(pt2, WEIGHTS, change)), match)


def set_target(target: str) -> Callable[[Any], None]:
    def change(program: Any) -> None:
        nodes_of(program)[5]["target"] = target

    return change


def resized_to(*size: int) -> Callable[[Any], None]:
    def change(program: Any) -> None:
        for node in nodes_of(program):
            if "_upsample_bilinear2d_aa" in node["target"]:
                node["inputs"][1]["arg"] = {"as_ints": list(size)}

    return change


PROGRAM_FAULTS: dict[str, tuple[str | None, Callable[[Any], Any]]] = {
    "an operator that reads files": ("from_file", set_target("torch.ops.aten.from_file.default")),
    "an operator of others": ("mylib", set_target("torch.ops.mylib.run.default")),
    "a function of Python": ("os.system", set_target("torch.os.system")),
    "a way around": ("aten", set_target("torch.ops.aten.relu.default.__globals__")),
    "a dunder as an overload": (None, set_target("torch.ops.aten.relu.__init__")),
    "a higher-order operator": ("higher_order", set_target("torch.ops.higher_order.cond")),
    "an extension's operator": ("#", set_target("#evil:run")),
    "an image of terabytes": ("elements; allowed", resized_to(2**20, 2**20)),
    "a size that is negative": (None, resized_to(-5, 3)),
    "another result": ("outputs", resized_to(7, 7))
    and (
        "its outputs",
        lambda program: (
            program["graph_module"]["graph"]["outputs"].reverse()
            or program["graph_module"]["signature"]["output_specs"].reverse()
        ),
    ),
    "a result that is not there": (
        "nowhere",
        lambda program: program["graph_module"]["signature"]["output_specs"][0]["user_output"]["arg"].update(
            as_tensor={"name": "nowhere"}
        ),
    ),
    "an input that is a token": (
        "token",
        lambda program: program["graph_module"]["signature"]["input_specs"].append({"token": {"arg": {"name": "t"}}}),
    ),
    "a custom object as an argument": (
        "as_custom_obj",
        lambda program: nodes_of(program)[5]["inputs"][0].update(arg={"as_custom_obj": {"name": "x"}}),
    ),
    "a graph as an argument": (
        "as_graph",
        lambda program: nodes_of(program)[5]["inputs"][0].update(arg={"as_graph": {"name": "x"}}),
    ),
    "steps without end": ("steps; allowed", lambda program: nodes_of(program).extend([{}] * 30_000)),
    "a step that is no object": (None, lambda program: nodes_of(program).insert(0, 7)),
    "no graph": ("graph", lambda program: program["graph_module"].pop("graph")),
}


@pytest.mark.parametrize("fault", PROGRAM_FAULTS)
def test_a_program_with_a_fault_is_refused(fault: str, pt2: dict[str, bytes], tmp_path: Path) -> None:
    match, change = PROGRAM_FAULTS[fault]
    refused(packed(tmp_path / "hostile.pt2", changed(pt2, PROGRAM, change)), match)


def test_a_compressed_archive_is_refused_before_it_is_unpacked(pt2: dict[str, bytes], tmp_path: Path) -> None:
    bomb = {**pt2, "data/weights/weight_0": bytes(2**28)}
    path = packed(tmp_path / "bomb.pt2", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    refused(path, "larger than the file")


def test_entries_that_overlap_are_refused(pt2: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "overlap.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in pt2.items():
            archive.writestr(f"model/{name}", content)
        weight = archive.getinfo("model/data/weights/weight_0")
        for number in range(500, 10_500):  # each claims the bytes of the same weight
            again = zipfile.ZipInfo(f"model/data/weights/weight_{number}")
            again.header_offset, again.CRC = weight.header_offset, weight.CRC
            again.file_size = again.compress_size = 2**20
            archive.filelist.append(again)
    refused(path, "larger than the file")


def test_two_entries_of_one_name_are_refused(pt2: dict[str, bytes], tmp_path: Path) -> None:
    path = packed(tmp_path / "twice.pt2", pt2)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(f"model/{PROGRAM}", pt2[PROGRAM])
    refused(path, "it holds")


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


@pytest.mark.parametrize("name", ["onnx", "torch_export", "openvino"])
def test_a_file_cut_short_anywhere_is_refused(name: str, exported: Exported, tmp_path: Path) -> None:
    source = exported(name)
    content = source.read_bytes()
    path = tmp_path / f"short{source.suffix}"
    if source.suffix == ".xml":
        shutil.copy(source.with_suffix(".bin"), path.with_suffix(".bin"))
    for length in (0, 1, 100, len(content) // 3, len(content) // 2, len(content) - 20):
        path.write_bytes(content[:length])
        refused(path)


@pytest.mark.parametrize("name", ["onnx", "torch_export", "openvino"])
def test_a_flipped_bit_ends_in_a_result_or_a_clear_error(name: str, exported: Exported, tmp_path: Path) -> None:
    source = exported(name)
    content, path = source.read_bytes(), tmp_path / f"flipped{source.suffix}"
    if source.suffix == ".xml":
        shutil.copy(source.with_suffix(".bin"), path.with_suffix(".bin"))
    generator, image = random.Random(0), np.zeros((1, 64, 64, 3), np.uint8)
    for _ in range(FLIPS):
        spoiled = bytearray(content)
        spoiled[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(spoiled)
        with suppress(InputError):
            open_exported(path, device="cpu").probability(image)


def test_a_file_larger_than_any_model_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31 + 1)  # a hole, which takes no room on the disk
    refused(path, "bytes; allowed")


def test_predict_ends_with_one_message(pt2: dict[str, bytes], marker: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "hostile.pt2", samples(pt2, marker))
    Image.new("RGB", (50, 40)).save(tmp_path / "photo.png")
    words = [f"checkpoint={path}", f"input={tmp_path / 'photo.png'}", f"output={tmp_path / 'masks'}"]
    done = subprocess.run(
        [sys.executable, "-m", "lesionseg.predict", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "hostile.pt2: not a .pt2 file as lesionseg writes it (it holds pickled sample inputs)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not marker.exists()
