import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from lesionseg.benchmarking import training as module
from lesionseg.benchmarking.subject import Subject, build_subject
from lesionseg.benchmarking.timing import NotMeasurableError
from lesionseg.benchmarking.training import TrainingSettings, TrainingStep, peak_memory, training_peak

LOSS = {
    "_target_": "lesionseg.loss.combined.CombinedLoss",
    "terms": {"bce": {"_target_": "lesionseg.loss.bce.BCELoss", "positive_weight": 1.0}},
    "weights": {"bce": 1.0},
}
OPTIMIZER = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1}
WIDTH, BATCH, SIZE = 64, 8, 128
FEATURES = 4 * WIDTH * BATCH * SIZE * SIZE
"""Bytes of what lies between the two convolutions."""


def training(subject: Any) -> TrainingSettings:
    return TrainingSettings(subject, loss=LOSS, optimizer=OPTIMIZER, batch_size=BATCH, image_size=SIZE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_features_and_their_gradient_are_in_memory_at_once(pixelwise: Callable[..., Any]) -> None:
    layer = {"_target_": "torch.nn.Conv2d", "kernel_size": 1}
    first, last = {"in_channels": 3, "out_channels": WIDTH}, {"in_channels": WIDTH, "out_channels": 1}
    network = {"_target_": "torch.nn.Sequential", "_args_": [layer | first, layer | last]}
    found = peak_memory(training(pixelwise(network=network)))
    assert 2 * FEATURES <= found < 8 * FEATURES


def test_a_process_that_is_killed_says_so(pixelwise: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fork = multiprocessing.get_context("fork")  # a fresh process takes seconds to import what is here already
    monkeypatch.setattr(module, "get_context", lambda _: fork)
    monkeypatch.setattr(module, "_forget_peak", lambda: 0)
    with pytest.raises(NotMeasurableError, match="killed, perhaps for want of memory"):
        peak_memory(training(pixelwise(network={"_target_": "os._exit", "status": 9})))


def test_a_system_that_does_not_tell_says_so(pixelwise: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "darwin")
    with pytest.raises(NotMeasurableError, match="only Linux tells"):
        training_peak(training(pixelwise()))


RATE = 0.5
DESCENT = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": RATE}


def step_of(subject: Subject, batch_size: int) -> TrainingStep:
    return TrainingStep(TrainingSettings(subject.settings, LOSS, DESCENT, batch_size, 32), subject)


def test_a_step_moves_the_weights_down_the_gradient(pixelwise: Callable[..., Any]) -> None:
    subject = build_subject(pixelwise())
    step = step_of(subject, 2)
    weight = subject.segmenter.network.network.weight.detach().clone().requires_grad_()  # type: ignore[union-attr]
    bias = subject.segmenter.network.network.bias.detach().clone()  # type: ignore[union-attr]
    colours = (step.image.float() - subject.segmenter.mean) / subject.segmenter.std
    logits = (weight * colours).sum(1, keepdim=True) + bias
    functional.binary_cross_entropy_with_logits(logits, step.mask.float()).backward()
    step()
    torch.testing.assert_close(
        subject.segmenter.network.network.weight.detach(),  # type: ignore[union-attr]
        weight.detach() - RATE * weight.grad,  # type: ignore[operator]
        rtol=1e-3,
        atol=1e-5,
    )
    assert subject.segmenter.training
    step.end()
    assert not subject.segmenter.training
    assert all(parameter.grad is None for parameter in subject.segmenter.parameters())


def test_its_batch_is_one_of_the_loaders(pixelwise: Callable[..., Any]) -> None:
    step = step_of(build_subject(pixelwise()), 5)
    assert (step.image.shape, step.image.dtype) == ((5, 3, 32, 32), torch.uint8)
    assert step.mask.shape == (5, 1, 32, 32)
    assert set(step.mask.unique().tolist()) == {0, 1}
