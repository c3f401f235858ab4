from collections.abc import Callable
from typing import Any

import pytest
import torch

from lesionseg.benchmarking import inference
from lesionseg.benchmarking.inference import compiled, eager, inference_works, onnx_inference
from lesionseg.benchmarking.subject import build_subject
from lesionseg.benchmarking.timing import NotMeasurableError, Speed, Work
from lesionseg.training.optimizer import random_batch


def refusing(*_: Any, **__: Any) -> Any:
    raise OSError("no C++ compiler\nlooked everywhere")


def test_eager_inference_gives_probabilities(pixelwise: Callable[..., Any]) -> None:
    subject, image = build_subject(pixelwise()), random_batch(2, 32)[0]
    convolution = subject.segmenter.network.network
    colours = (image.double() - subject.segmenter.mean) / subject.segmenter.std
    logits = (convolution.weight.double() * colours).sum(1, keepdim=True) + convolution.bias  # type: ignore[union-attr, operator]
    torch.testing.assert_close(eager(subject, image).double(), 1 / (1 + (-logits).exp()), rtol=0, atol=1e-5)


def test_compiled_inference_computes_what_eager_does(pixelwise: Callable[..., Any]) -> None:
    subject, image = build_subject(pixelwise()), random_batch(2, 32)[0]
    assert torch.equal(compiled(subject, image, backend="eager")(), eager(subject, image))


def test_a_failing_compiler_says_why(pixelwise: Callable[..., Any]) -> None:
    subject = build_subject(pixelwise())
    with pytest.raises(NotMeasurableError, match=r"^torch\.compile fails: no C\+\+ compiler$"):
        compiled(subject, random_batch(2, 32)[0], backend=refusing)


def test_a_way_that_fails_keeps_its_place_and_its_reason(
    pixelwise: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", refusing)
    monkeypatch.setattr(inference, "find_spec", lambda _: None)
    works = inference_works(build_subject(pixelwise()), ["compiled", "onnx", "eager"], batch_size=2, image_size=32)
    ways = [item.row.way for item in works]
    assert ways == ["compiled", "ONNX Runtime", "eager", "network alone"]
    without_compiler, without_runtime, possible, limit = works
    assert isinstance(without_compiler, Speed)
    assert without_compiler.missing == "torch.compile fails: no C++ compiler"
    assert isinstance(without_runtime, Speed)
    assert without_runtime.missing == ("needs onnx, onnxscript, onnxruntime: pip install 'lesionseg[export]'")
    assert isinstance(possible, Work)
    assert isinstance(limit, Work)
    assert limit.row.is_limit
    assert (limit.images, limit.row.detail) == (2, "fp32, channels last, batch 2")
    limit.call()


def test_onnx_runtime_computes_what_eager_does(pixelwise: Callable[..., Any]) -> None:
    for module in ("onnxruntime", "onnxscript"):
        pytest.importorskip(module)
    subject, image = build_subject(pixelwise()), random_batch(2, 32)[0]
    call, place = onnx_inference(subject, image)
    probability, _ = call()  # type: ignore[misc]
    torch.testing.assert_close(torch.from_numpy(probability), eager(subject, image)[:, 0], rtol=0, atol=1e-4)
    assert place == "CPU"


def test_a_network_that_cannot_be_exported_says_why(
    pixelwise: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(inference, "exported", refusing)
    with pytest.raises(NotMeasurableError, match="cannot be exported: no C"):
        onnx_inference(build_subject(pixelwise()), random_batch(2, 32)[0])
