"""What others get: each file is run by its own runtime, without anything of lesionseg."""

import copy
import functools
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.exporting.deployed import Deployed, OwnTorchExport, collect_facts, exported, write_torch_export
from lesionseg.exporting.facts import EmbeddedFacts
from lesionseg.exporting.onnx_writing import converted, write_onnx
from lesionseg.exporting.opening import ExportedEngine, open_exported
from lesionseg.exporting.openvino import write_openvino
from lesionseg.model.segmenter import Segmenter
from lesionseg.model.unet import UNet
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta

Exported = Callable[[str], Path]
Run = Callable[[NDArray[np.uint8]], tuple[Any, Any]]
FORMATS = ("onnx", "torch_export", "openvino")


@pytest.fixture(autouse=True, scope="module")
def _a_program_is_converted_once() -> Iterator[None]:
    """OpenVINO's files are made of ONNX's, and the conversion to ONNX takes seconds."""
    once = functools.cache(converted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lesionseg.exporting.onnx_writing.converted", lambda program: copy.deepcopy(once(program)))
        yield


@functools.cache
def network_program(network: str, size: int) -> tuple[Segmenter, torch.export.ExportedProgram]:
    torch.manual_seed(0)
    model = UNet(**(SETTINGS | NETWORKS[network]))
    segmenter = Segmenter(model, mean=[150.0, 120.0, 110.0], std=[40.0] * 3, threshold=0.2).eval()
    return segmenter, exported(Deployed(segmenter, size))


@functools.cache
def brightness_program(size: int) -> torch.export.ExportedProgram:
    segmenter = Segmenter(Brightness(), mean=[128.0] * 3, std=[32.0] * 3, threshold=0.5).eval()
    return exported(Deployed(segmenter, size))


@functools.cache
def uneven_program(postprocessing: Postprocessing) -> tuple[Segmenter, torch.export.ExportedProgram]:
    segmenter = Segmenter(Uneven(), mean=[128.0] * 3, std=[64.0] * 3, **postprocessing.settings()).eval()
    return segmenter, exported(Deployed(segmenter, 64))


def runner(name: str, path: Path) -> Run:
    if name == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda image: tuple(session.run(["probability", "mask"], {"image": image}))
    if name == "torch_export":
        module = torch.export.load(path).module()
        return lambda image: tuple(part.detach().numpy() for part in module(torch.from_numpy(image)))
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: tuple(model({"image": image})[part] for part in ("probability", "mask"))


def expected_of(segmenter: Segmenter, image: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """What the documentation says, written out."""
    pixels = torch.from_numpy(image).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        resized = functional.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
        small = segmenter.probability(resized)
        return functional.interpolate(small, size=image.shape[1:3], mode="bilinear")[:, 0].numpy()


def facts_of(run: Path, postprocessing: Postprocessing, image_size: int) -> EmbeddedFacts:
    path = run / "checkpoints" / "best.ckpt"
    facts = collect_facts(
        read(path), path, postprocessing=postprocessing, precision="fp32", licence="", intended_use=""
    )
    return facts.model_copy(update={"image_size": image_size})


def drawn(batch: int, height: int, width: int) -> NDArray[np.uint8]:
    sides = max(height, width, 32)
    return np.stack([draw_dermoscopy(seed, sides)[0][:height, :width] for seed in range(batch)])


@pytest.mark.parametrize("name", FORMATS)
def test_its_own_runtime_gives_pytorchs_numbers_at_any_size(exported: Exported, smoke_run: Path, name: str) -> None:
    run = runner(name, exported(name))
    segmenter = segmenter_of(read(smoke_run / "checkpoints" / "best.ckpt"))
    for shape in [(1, 64, 64), (3, 64, 64), (1, 300, 211), (2, 40, 57)]:
        image = drawn(*shape)
        probability, mask = run(image)
        assert np.abs(probability - expected_of(segmenter, image, 64)).max() < 1e-4
        assert np.array_equal(mask, (probability > segmenter.threshold).astype(np.uint8))
        assert (probability.dtype, mask.dtype, mask.shape) == (np.float32, np.uint8, shape)


@pytest.mark.parametrize("name", FORMATS)
def test_the_metadata_can_be_read_by_others(exported: Exported, smoke_run: Path, name: str) -> None:
    path = exported(name)
    if name == "onnx":
        onnx = pytest.importorskip("onnx")
        text = {entry.key: entry.value for entry in onnx.load(path).metadata_props}["lesionseg"]
    elif name == "torch_export":
        extra = {"lesionseg.json": ""}
        torch.export.load(path, extra_files=extra)
        text = extra["lesionseg.json"]
    else:
        model = pytest.importorskip("openvino").Core().read_model(path)
        text = model.get_rt_info("lesionseg").astype(str)
    facts = json.loads(text)
    segmenter = segmenter_of(read(smoke_run / "checkpoints" / "best.ckpt"))
    assert (facts["name"], facts["image_size"], facts["classes"]) == ("smoke", 64, ["lesion"])
    assert facts["threshold"] == segmenter.threshold
    assert facts["licence"] == "not stated"
    assert "Not a medical device" in facts["intended_use"]


def test_an_onnx_file_is_self_contained_standard_and_says_what_is_free(exported: Exported) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported("onnx"), load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert not any(tensor.HasField("data_location") for tensor in model.graph.initializer)
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    assert [dimension.dim_param or dimension.dim_value for dimension in dimensions] == ["batch", "height", "width", 3]


def test_a_pt2_file_holds_no_pickle(exported: Exported) -> None:
    with zipfile.ZipFile(exported("torch_export")) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert not content.startswith(b"\x80"), name  # how a pickle begins
            assert not content.startswith(b"PK"), name  # what torch.save wraps one in


SETTINGS: dict[str, Any] = {
    "base_channels": 4,
    "max_channels": 16,
    "decoder_max_channels": 16,
    "depth": 2,
    "blocks_per_stage": 1,
    "block": "plain",
    "kernel_size": 5,
    "expansion": 2,
    "skip": "gated",
    "colour_constancy": True,
    "normalisation": "batch",
    "activation": "relu",
    "upsampling": "bilinear",
    "context": False,
    "stem_stride": 1,
    "dropout": 0.1,
    "activation_checkpointing": True,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "padded": {"normalisation": "group", "activation": "leaky_relu", "upsampling": "nearest"},
    "residual": {"block": "residual", "normalisation": "instance", "activation": "gelu", "upsampling": "transposed"},
    "stem": {"normalisation": "none", "activation": "silu", "context": True, "stem_stride": 4, "depth": 1},
}
"""Together these have every option of the U-Net that changes what it computes."""


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_of_network_is_the_same_in_every_format(
    name: str, network: str, smoke_run: Path, tmp_path: Path
) -> None:
    size = 50  # no multiple of any stride
    segmenter, program = network_program(network, size)
    facts = facts_of(smoke_run, Postprocessing(threshold=0.2), size)
    file = written(name, program, facts, tmp_path)
    for image in (drawn(2, size, size), drawn(1, 90, 70)):
        probability, _ = opened(file, facts).run(image)
        assert np.abs(probability - expected_of(segmenter, image, size)).max() < 1e-4


class Brightness(nn.Module):
    """Gives the normalised red channel as logits: what comes out is what the resizing made of the photograph."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_averages_over_a_large_photograph_as_pillow_does_it(
    name: str, smoke_run: Path, tmp_path: Path
) -> None:
    size, image = 40, np.random.default_rng(0).integers(0, 256, (1, 331, 250, 3), dtype=np.uint8)
    facts = facts_of(smoke_run, Postprocessing(threshold=0.5), size)
    file = written(name, brightness_program(size), facts, tmp_path)
    probability, _ = runner(name, file)(image)
    red = Image.fromarray(image[0, ..., 0].astype(np.float32))  # in float32 Pillow does not round
    resized = torch.from_numpy(np.array(red.resize((size, size), Image.Resampling.BILINEAR)))
    small = torch.sigmoid((resized - 128) / 32)[None, None]
    assert np.abs(probability - functional.interpolate(small, (331, 250), mode="bilinear")[:, 0].numpy()).max() < 1e-4


class Uneven(nn.Module):
    """Compares a pixel with its left neighbour, so that mirroring changes what comes out."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1] - functional.pad(image[:, 1:2], (1, 0))[..., :-1]


@pytest.mark.parametrize("views", ["turns", "sizes"])
@pytest.mark.parametrize("name", FORMATS)
def test_views_are_inside_and_changes_of_regions_are_left_to_lesionseg(
    name: str, views: Tta, smoke_run: Path, tmp_path: Path
) -> None:
    postprocessing = Postprocessing(threshold=0.5, views=views, largest_component=True, fill_holes=True)
    segmenter, program = uneven_program(postprocessing)
    facts = facts_of(smoke_run, postprocessing, 64)
    file = written(name, program, facts, tmp_path)
    engine = opened(file, facts)
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    probability, mask = engine.run(image)
    assert np.abs(probability - expected_of(segmenter, image, 64)).max() < 1e-5
    mirrored = engine.probability(np.ascontiguousarray(image[:, :, ::-1]))
    assert np.abs(mirrored - probability[:, :, ::-1]).max() < 1e-5
    assert np.array_equal(mask, (probability > 0.5).astype(np.uint8))
    assert ndimage.label(mask[0])[1] > 1
    assert engine.facts.postprocessing == postprocessing
    assert ndimage.label(engine.facts.postprocessing.mask(probability[0], (64, 64)).pixels())[1] == 1


def opened(path: Path, facts: EmbeddedFacts) -> ExportedEngine:
    """Opens a file as an export does to compare it."""
    return OwnTorchExport(path, facts) if path.suffix == ".pt2" else open_exported(path, device="cpu")


def written(name: str, program: torch.export.ExportedProgram, facts: EmbeddedFacts, folder: Path) -> Path:
    if name == "torch_export":
        write_torch_export(program, facts, folder / "model.pt2")
        return folder / "model.pt2"
    pytest.importorskip("onnxscript")
    if name == "onnx":
        write_onnx(program, facts, folder / "model.onnx")
        return folder / "model.onnx"
    pytest.importorskip("openvino")
    write_openvino(program, facts, folder / "model.xml")
    return folder / "model.xml"
