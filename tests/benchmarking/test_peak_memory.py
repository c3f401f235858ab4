import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lesionseg.benchmarking import peak_memory as module
from lesionseg.benchmarking.missing import NotMeasurableError
from lesionseg.benchmarking.peak_memory import TrainingSettings, peak_memory, training_peak

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
