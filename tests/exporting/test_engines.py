"""Engines of exported files: contracts of every format, then what holds of one alone."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionseg.checkpoint.engine import CheckpointEngine
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError
from lesionseg.exporting.onnx import OnnxEngine
from lesionseg.exporting.opening import ExportedEngine, open_engine, open_exported
from lesionseg.exporting.openvino import OpenVinoEngine

Exported = Callable[[str], Path]


@pytest.fixture(params=["onnx", "openvino"])
def path(request: pytest.FixtureRequest, exported: Exported) -> Path:
    return exported(request.param)


@pytest.fixture
def engine(path: Path) -> ExportedEngine:
    return open_exported(path, device="cpu", threads=1)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.stack([draw_dermoscopy(seed, 64)[0] for seed in range(6)])


def test_it_predicts_what_the_checkpoint_does(
    engine: ExportedEngine, smoke_run: Path, images: NDArray[np.uint8]
) -> None:
    checkpoint = CheckpointEngine(smoke_run / "checkpoints" / "best.ckpt", device="cpu", precision="fp32")
    assert np.abs(engine.probability(images) - checkpoint.probability(images)).max() < 1e-5
    assert engine.second_look(images) is None
    for fact in ("temperature", "name", "image_size", "threshold", "version", "trained_on"):
        assert getattr(engine.facts, fact) == getattr(checkpoint.facts, fact)


def test_its_digest_is_the_files(engine: ExportedEngine, path: Path) -> None:
    assert engine.facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "CPU" in engine.device


def test_one_image_and_a_batch_give_the_same(engine: ExportedEngine, images: NDArray[np.uint8]) -> None:
    alone = np.concatenate([engine.probability(images[row : row + 1]) for row in range(len(images))])
    assert np.abs(alone - engine.probability(images)).max() < 1e-6


def test_several_threads_at_once_give_the_same(engine: ExportedEngine, images: NDArray[np.uint8]) -> None:
    expected = [engine.probability(images[row : row + 2]) for row in range(5)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda turn: engine.probability(images[turn % 5 : turn % 5 + 2]), range(40)))
    for turn, probability in enumerate(found):
        assert np.array_equal(probability, expected[turn % 5])


def test_it_takes_images_that_may_not_be_written_to(engine: ExportedEngine, images: NDArray[np.uint8]) -> None:
    locked = images.copy()
    locked.flags.writeable = False
    assert np.array_equal(engine.probability(locked), engine.probability(images))
    assert np.array_equal(locked, images)


def test_other_sizes_are_resized_and_decided_inside(engine: ExportedEngine) -> None:
    probability, mask = engine.run(np.stack([draw_dermoscopy(3, 150)[0][:97]] * 2))
    assert probability.shape == mask.shape == (2, 97, 150)
    assert np.array_equal(mask == 1, probability > engine.facts.threshold)


def test_a_torch_export_is_refused_with_what_to_use(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"give the model as \.onnx, \.xml \(OpenVINO\), \.safetensors or \.ckpt"):
        open_engine(path, device="cpu", precision="auto")


def test_it_is_what_a_path_with_that_suffix_opens(path: Path) -> None:
    assert type(open_engine(path, device="cpu", precision="auto")) is type(open_exported(path, device="cpu"))


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        open_exported(path.with_name(f"missing{path.suffix}"), device="cpu")


# One format alone


def test_a_gpu_that_onnx_runtime_cannot_use_is_refused_with_the_way_out(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="onnxruntime-gpu, or device=cpu"):
        OnnxEngine(exported("onnx"), device="cuda:1")
    assert OnnxEngine(exported("onnx"), device="auto").device == "CPU, ONNX Runtime"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "cuda:1;cpu", "CPU", ""])
def test_other_words_for_a_device_are_refused(exported: Exported, device: str) -> None:
    with pytest.raises(InputError, match="allowed: auto, cpu, cuda"):
        OnnxEngine(exported("onnx"), device=device)


def test_without_onnx_runtime_it_says_what_to_install(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.exporting.onnx.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'lesionseg\[export\]'"):
        OnnxEngine(exported("onnx"), device="cpu")


def test_images_of_another_type_are_no_crash(exported: Exported) -> None:
    images = np.zeros((1, 64, 64, 3), np.float32)
    with pytest.raises(InputError, match="ONNX Runtime cannot run it"):
        OnnxEngine(exported("onnx"), device="cpu").probability(images)  # type: ignore[arg-type]


def test_openvino_refuses_a_gpu_with_the_way_out(exported: Exported) -> None:
    with pytest.raises(InputError, match="format=onnx"):
        OpenVinoEngine(exported("openvino"), device="cuda")


def test_without_openvino_it_says_what_to_install(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.exporting.openvino.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'lesionseg\[openvino\]'"):
        OpenVinoEngine(exported("openvino"), device="cpu")
