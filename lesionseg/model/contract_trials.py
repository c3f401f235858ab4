"""Trials of user-defined parts on tiny inputs, so that a broken contract is reported before any work."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lesionseg.config.build import CONTRACTS
from lesionseg.errors import first_line
from lesionseg.metrics.formula import Counts, Formula
from lesionseg.metrics.formula_metric import FormulaMetric
from lesionseg.model.segmenter import stride_of

SIDE = 32
"""Pixels of the masks that losses, metrics and augmentations are tried on."""


def is_foreign(part: Any) -> bool:
    """Whether a part is not lesionseg's own; its own parts are covered by its tests."""
    return not type(part).__module__.startswith("lesionseg.")


def network_faults(network: nn.Module, image_size: int) -> Iterator[str]:
    """Tries a network on the CPU on two images in training and in evaluation mode; its running statistics change.

    The output must be logits of the images' size, the next multiple of the network's stride.
    """
    stride = stride_of(network)
    side = -(-image_size // stride) * stride
    image = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    allowed = f"allowed: {CONTRACTS['model'].words}"
    for mode in (True, False):
        try:
            with torch.no_grad():
                logits: Any = network.train(mode)(image)
        except Exception as error:  # anybody's network may raise anything
            yield f"model: {_name(network)} cannot take an image {tuple(image.shape)}: {_failure(error)}; {allowed}"
            return
        if not (isinstance(logits, Tensor) and logits.shape == (2, 1, side, side) and logits.is_floating_point()):
            yield f"model: {_name(network)} makes of an image {tuple(image.shape)} {_described(logits)}; {allowed}"
            return


def loss_faults(terms: Mapping[str, nn.Module]) -> Iterator[str]:
    """Tries each term of a loss on logits and mask; its value must be one number with a gradient."""
    allowed = f"allowed: {CONTRACTS['loss'].words}"
    for name, term in terms.items():
        if not is_foreign(term):
            continue
        logits = torch.zeros(2, 1, SIDE, SIDE, requires_grad=True)
        try:
            value: Any = term(logits, _mask())
        except Exception as error:
            yield f"loss.terms.{name}: {_name(term)} cannot score logits and a mask: {_failure(error)}; {allowed}"
            continue
        if not (isinstance(value, Tensor) and value.ndim == 0 and value.requires_grad):
            yield f"loss.terms.{name}: {_name(term)} returns {_described(value)} without dimension; {allowed}"


def metric_faults(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Tries each metric on a prediction and a mask; its value must be a tensor."""
    allowed = f"allowed: {CONTRACTS['metrics'].words}"
    for name, metric in metrics.items():
        if metric is None or not is_foreign(metric):
            continue
        try:
            value = _tried_metric(metric)
        except Exception as error:
            yield f"metrics.{name}: {_name(metric)} cannot score: {_failure(error)}; {allowed}"
            continue
        if not isinstance(value, Tensor):
            yield f"metrics.{name}: {_name(metric)} computes {_described(value)}; {allowed}"


def _tried_metric(metric: Any) -> Any:
    """Computes a metric of masks; a formula also as evaluations and reports use it."""
    if isinstance(metric, Formula):
        if not metric.is_pooled:
            _ = metric.definition, float(metric.score(Counts(1, 2, 3, 4)))
        metric = FormulaMetric(metric)
    metric.update(_mask().bool(), _mask())
    return metric.compute()


def augmentation_faults(augment: Any) -> Iterator[str]:
    """Tries an augmentation on an image and its mask, which must keep their kinds and fit each other."""
    if augment is None or not is_foreign(augment):
        return
    allowed = f"allowed: {CONTRACTS['augmentation'].words}"
    image, mask = np.zeros((SIDE, SIDE, 3), np.uint8), _mask()[0, 0].numpy()
    try:
        new_image, new_mask = augment(image, mask, 0)
    except Exception as error:
        yield f"augmentation: {_name(augment)} cannot change an image and its mask: {_failure(error)}; {allowed}"
        return
    for new, old in ((new_image, image), (new_mask, mask)):
        if not (isinstance(new, np.ndarray) and new.shape == old.shape and new.dtype == old.dtype):
            yield f"augmentation: {_name(augment)} makes {_described(new)} of {_described(old)}; {allowed}"
    if isinstance(new_mask, np.ndarray) and new_mask.max(initial=0) > 1:
        yield f"augmentation: {_name(augment)} makes a mask with values up to {new_mask.max()}; {allowed}"


def _mask() -> Tensor:
    """Returns (2, 1, SIDE, SIDE) uint8 in {0, 1}: a square lesion in each of two images."""
    mask = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    mask[..., SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = 1
    return mask


def _name(part: Any) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"


def _described(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def _failure(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
