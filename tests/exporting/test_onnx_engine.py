from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lesionseg.errors import InputError
from lesionseg.exporting.onnx_engine import OnnxEngine

onnxruntime = pytest.importorskip("onnxruntime")
Exported = Callable[[str], Path]


def test_a_gpu_that_onnx_runtime_cannot_use_is_refused_with_the_way_out(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="onnxruntime-gpu, or device=cpu"):
        OnnxEngine(exported("onnx"), device="cuda:1")
    assert OnnxEngine(exported("onnx"), device="auto").device == "CPU, ONNX Runtime"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "cuda:1;cpu", "CPU", ""])
def test_other_words_for_a_device_are_refused(exported: Exported, device: str) -> None:
    with pytest.raises(InputError, match="allowed: auto, cpu, cuda"):
        OnnxEngine(exported("onnx"), device=device)


def test_without_onnx_runtime_it_says_what_to_install(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.exporting.onnx_engine.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'lesionseg\[export\]'"):
        OnnxEngine(exported("onnx"), device="cpu")


def test_images_of_another_type_are_no_crash(exported: Exported) -> None:
    images = np.zeros((1, 64, 64, 3), np.float32)
    with pytest.raises(InputError, match="ONNX Runtime cannot run it"):
        OnnxEngine(exported("onnx"), device="cpu").probability(images)  # type: ignore[arg-type]
