"""What holds of every exported format."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lesionseg.checkpoint.checkpoint import read, segmenter_of
from lesionseg.checkpoint.checkpoint_engine import CheckpointEngine
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError
from lesionseg.exporting.exported_opening import ExportedEngine, open_exported
from lesionseg.prediction.opening import open_engine

Exported = Callable[[str], Path]


@pytest.fixture(params=["onnx", "torch_export", "openvino"])
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


def test_it_is_what_a_path_with_that_suffix_opens(path: Path) -> None:
    assert type(open_engine(path, device="cpu", precision="auto")) is type(open_exported(path, device="cpu"))


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        open_exported(path.with_name(f"missing{path.suffix}"), device="cpu")


def test_a_program_computes_in_float32_even_where_others_would_not(
    exported: Exported, smoke_run: Path, images: NDArray[np.uint8]
) -> None:
    engine = open_exported(exported("torch_export"), device="cpu")
    segmenter = segmenter_of(read(smoke_run / "checkpoints" / "best.ckpt"))
    with torch.inference_mode():
        expected = segmenter.probability(torch.from_numpy(images).permute(0, 3, 1, 2))[:, 0].numpy()
    with torch.autocast("cpu", torch.bfloat16):
        assert np.abs(engine.probability(images) - expected).max() < 1e-6
