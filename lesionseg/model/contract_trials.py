"""Trials of user-defined parts on tiny inputs, so that a broken contract is reported before any work."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
    """Tells whether a part is a user's own; lesionseg's parts are covered by its tests."""
    return not type(part).__module__.startswith("lesionseg.")


def network_faults(network: nn.Module, image_size: int) -> Iterator[str]:
    """Tries a network on the CPU on two images in training and in evaluation mode; its running statistics change.

    The output must be logits of the images' size, the next multiple of the network's stride.
    """
    stride = stride_of(network)
    side = -(-image_size // stride) * stride
    image = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    shape = tuple(image.shape)

    @torch.no_grad()
    def logits(mode: bool) -> Any:
        return network.train(mode)(image)

    def complaints(logits: Any) -> Iterator[str]:
        if not (isinstance(logits, Tensor) and logits.shape == (2, 1, side, side) and logits.is_floating_point()):
            yield f"makes of an image {shape} {_described(logits)}"

    for mode in (True, False):
        faults = list(_faults("model", network, f"take an image {shape}", partial(logits, mode), complaints))
        yield from faults
        if faults:
            return


def loss_faults(terms: Mapping[str, nn.Module]) -> Iterator[str]:
    """Tries each term of a loss on logits and mask; its value must be one number with a gradient."""

    def complaints(value: Any) -> Iterator[str]:
        if not (isinstance(value, Tensor) and value.ndim == 0 and value.requires_grad):
            yield f"returns {_described(value)} without dimension"

    for name, term in terms.items():
        if is_foreign(term):
            value = partial(term, torch.zeros(2, 1, SIDE, SIDE, requires_grad=True), _mask())
            yield from _faults(f"loss.terms.{name}", term, "score logits and a mask", value, complaints)


def metric_faults(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Tries each metric on a prediction and a mask; its value must be a tensor."""

    def complaints(value: Any) -> Iterator[str]:
        if not isinstance(value, Tensor):
            yield f"computes {_described(value)}"

    for name, metric in metrics.items():
        if metric is not None and is_foreign(metric):
            yield from _faults(f"metrics.{name}", metric, "score", partial(_tried_metric, metric), complaints)


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
    image, mask = np.zeros((SIDE, SIDE, 3), np.uint8), _mask()[0, 0].numpy()

    def complaints(changed: Any) -> Iterator[str]:
        new_image, new_mask = changed
        for new, old in ((new_image, image), (new_mask, mask)):
            if not (isinstance(new, np.ndarray) and new.shape == old.shape and new.dtype == old.dtype):
                yield f"makes {_described(new)} of {_described(old)}"
        if isinstance(new_mask, np.ndarray) and new_mask.max(initial=0) > 1:
            yield f"makes a mask with values up to {new_mask.max()}"

    if augment is not None and is_foreign(augment):
        deed = "change an image and its mask"
        yield from _faults("augmentation", augment, deed, partial(augment, image, mask, 0), complaints)


def _faults(
    place: str, part: Any, deed: str, attempt: Callable[[], Any], complaints: Callable[[Any], Iterator[str]]
) -> Iterator[str]:
    """Yields that a part of the configuration cannot do the deed, or what is wrong with the result."""
    allowed = CONTRACTS[place.partition(".")[0]].words
    try:
        faults = list(complaints(attempt()))
    except Exception as error:  # anybody's part may raise anything
        faults = [f"cannot {deed}: {type(error).__name__}: {first_line(error)}"]
    name = f"{type(part).__module__}.{type(part).__qualname__}"
    yield from (f"{place}: {name} {fault}; allowed: {allowed}" for fault in faults)


def _mask() -> Tensor:
    """Returns (2, 1, SIDE, SIDE) uint8 in {0, 1}: a square lesion in each of two images."""
    mask = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    mask[..., SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = 1
    return mask


def _described(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
