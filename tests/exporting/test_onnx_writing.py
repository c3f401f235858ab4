from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import source_of
from lesionseg.data.split import own_samples
from lesionseg.exporting.comparing import mean_dice
from lesionseg.exporting.facts import EmbeddedFacts
from lesionseg.exporting.opening import ExportedEngine, open_exported
from lesionseg.postprocessing.postprocessing import Postprocessing

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from lesionseg.exporting.onnx_writing import CalibrationImages, quantise  # noqa: E402  (needs the above)

Exported = Callable[[str], Path]


def samples_of(smoke_run: Path, part: str) -> list[Any]:
    checkpoint = read(smoke_run / "checkpoints" / "best.ckpt")
    return list(own_samples(source_of(checkpoint), part, checkpoint["lesionseg"]["split"]))


@pytest.fixture(scope="module")
def quantised(exported: Exported, smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    facts: EmbeddedFacts = open_exported(exported("onnx"), device="cpu").embedded
    samples = samples_of(smoke_run, "train")
    quantise(exported("onnx"), samples, facts.model_copy(update={"precision": "int8"}), path)
    return path


def test_weights_of_convolutions_take_one_byte(quantised: Path, exported: Exported) -> None:
    model = onnx.load(quantised)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    producers = {name: node for node in model.graph.node for name in node.output}
    assert convolutions
    for node in convolutions:
        weight = producers[node.input[1]]
        assert weight.op_type == "DequantizeLinear"
        assert tensors[weight.input[0]].data_type == onnx.TensorProto.INT8


def test_pixels_sigmoid_and_decision_stay_exact(quantised: Path) -> None:
    producers = {name: node for node in onnx.load(quantised).graph.node for name in node.output}
    (sigmoid,) = (node for node in producers.values() if node.op_type == "Sigmoid")
    assert producers[producers["probability"].input[0]].op_type != "DequantizeLinear"
    engine = open_exported(quantised, device="cpu")
    probability, mask = engine.run(np.zeros((1, 64, 64, 3), np.uint8))
    assert np.array_equal(mask == 1, probability > engine.facts.threshold)
    assert sigmoid.output


def test_it_predicts_nearly_the_same(quantised: Path, exported: Exported, smoke_run: Path) -> None:
    images = np.stack([sample.read_resized(64).image for sample in samples_of(smoke_run, "validation")])
    before, after = (open_exported(path, device="cpu").probability(images) for path in (exported("onnx"), quantised))
    assert 0 < np.abs(before - after).max() < 0.05


def test_it_says_that_it_is_int8(quantised: Path) -> None:
    assert open_exported(quantised, device="cpu").embedded.precision == "int8"


def test_calibration_gives_each_image_once_at_the_networks_size(smoke_run: Path) -> None:
    samples = samples_of(smoke_run, "train")
    reader = CalibrationImages(samples, 48)
    batches = [reader.get_next() for _ in samples]
    assert all(batch is not None and batch["image"].shape == (1, 48, 48, 3) for batch in batches)
    assert reader.get_next() is None


class Half:
    """An engine that finds the left half to be lesion, whatever it sees."""

    facts = SimpleNamespace(image_size=40, postprocessing=Postprocessing(threshold=0.5))

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = np.zeros(images.shape[:3], np.float32)
        found[:, :, :20] = 1
        return found

    def second_look(self, images: NDArray[np.uint8]) -> None:
        raise AssertionError("nobody asks for it")


def test_dice_is_scored_at_the_truths_own_size_and_averaged_over_images() -> None:
    def sample(mask: NDArray[np.uint8]) -> Any:
        image = np.zeros((40, 40, 3), np.uint8)
        return SimpleNamespace(read_resized=lambda size: SimpleNamespace(image=image), mask=lambda: mask)

    everything, left = np.ones((100, 200), np.uint8), np.zeros((100, 200), np.uint8)
    left[:, :100] = 1
    engine: ExportedEngine = Half()  # type: ignore[assignment]
    # Half of everything: 2 * 100 / (100 + 200); all of the left: 1.
    assert mean_dice(engine, [sample(everything), sample(left)]) == pytest.approx((2 / 3 + 1) / 2)
