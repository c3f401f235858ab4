from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from lesionseg.benchmarking.subject import build_subject
from lesionseg.benchmarking.training_step import TrainingStep

LOSS = {
    "_target_": "lesionseg.loss.combined.CombinedLoss",
    "terms": {"bce": {"_target_": "lesionseg.loss.bce.BCELoss", "positive_weight": 1.0}},
    "weights": {"bce": 1.0},
}
RATE = 0.5
DESCENT = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": RATE}


def test_a_step_moves_the_weights_down_the_gradient(pixelwise: Callable[..., Any]) -> None:
    subject = build_subject(pixelwise())
    step = TrainingStep(subject, loss=LOSS, optimizer=DESCENT, batch_size=2, image_size=32)
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
    step = TrainingStep(build_subject(pixelwise()), loss=LOSS, optimizer=DESCENT, batch_size=5, image_size=32)
    assert (step.image.shape, step.image.dtype) == ((5, 3, 32, 32), torch.uint8)
    assert step.mask.shape == (5, 1, 32, 32)
    assert set(step.mask.unique().tolist()) == {0, 1}
